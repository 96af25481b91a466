"""How rarely a single window may ring for nothing, by what is bearable of all tests together.

`incidents.bearable` says how many false alarms there may be; the tests of many windows have their part of them, and the
single window the other, unless its rate is set.
"""

from components.common.errors import require

from .settings import WatchConfig

MOST_PERMUTATIONS = 200_000  # that a single window is given without being asked for: half a minute of a processor


def applied(config: WatchConfig, *, by_default: bool = True) -> WatchConfig:
    """The configuration in which a single window has its part of what is bearable, and permutations enough for it.

    A `monitor.false_alarm_rate` that is set stays, and so does everything where nothing is said to be bearable.

    Args:
      config: of a model.
      by_default: whether what is bearable by default counts, as for windows that are judged one after the other.

    Raises:
      MonitorError: `monitor.permutations` is set to fewer than that rate needs, or it needs more than can be had.

    """
    budget, monitor = config.incidents.budget, config.monitor
    counts = by_default or is_stated(config)
    if budget is None or not counts or "false_alarm_rate" in monitor.model_fields_set:
        return config
    rate, least = budget.false_alarm_rate, budget.permutations
    rule = f"be of windows so large that {least:,} permutations are not too many, or `monitor.false_alarm_rate` be set"
    require(least <= MOST_PERMUTATIONS, "incidents.bearable", rule, config.incidents.bearable)
    if "permutations" in monitor.model_fields_set:
        rule = (
            f"be {least:,} or more for what a single window may have of `incidents.bearable`, a rate of {rate:.2g}; or "
            "leave it out"
        )
        require(monitor.permutations >= least, "monitor.permutations", rule, monitor.permutations)
        least = monitor.permutations
    known = {"false_alarm_rate": rate, "permutations": max(monitor.permutations, least)}
    return config.model_copy(update={"monitor": monitor.model_copy(update=known)})


def is_stated(config: WatchConfig) -> bool:
    """Whether the user said what is bearable."""
    return "bearable" in config.incidents.model_fields_set


def described(config: WatchConfig) -> str:
    """What came of it, or in what the settings contradict each other, in a sentence; "" where nothing is said."""
    budget, monitor = config.incidents.budget, config.monitor
    if budget is None:
        return ""
    rate, stated = monitor.false_alarm_rate, f"one false alarm in {budget.windows:,.0f} windows"
    if rate > budget.false_alarm_rate * (1 + 1e-9):
        return (
            f"`monitor.false_alarm_rate` is set to {rate:g}: single windows alone ring for nothing once in "
            f"{1 / rate:,.0f} windows, and `incidents.bearable` is {stated} from all tests. What is set counts; "
            f"without it the rate is {budget.false_alarm_rate:.2g}."
        )
    return (
        f"Bearable is {stated} (`incidents.bearable`): a single window rings at a rate of {rate:.2g}, by "
        f"{monitor.permutations:,} permutations where it looks unusual; a slow drift rings for nothing once in "
        f"{budget.drift_run_length:,.0f} windows, the accuracy over time once in {budget.accuracy_run_length:,.0f}."
    )

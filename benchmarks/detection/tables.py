"""Results -> the tables of docs/detection_benchmark.md, between the markers that name them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from components.common.two_sample.false_alarms import p_value_threshold

from . import results
from .accuracy import PART as ACCURACY
from .one_baseline import LEVELS, Summary, summary
from .one_baseline import PART as ONE_BASELINE
from .one_baseline import RULES as ONE_BASELINE_RULES
from .rates import interval
from .severity import ENOUGH
from .severity import PART as SEVERITY
from .suites import LARGE, NULL, SEVERITIES, SIZES, severity_shifts
from .summary import RULES, Limits, Rate, Results, Rule

PAGES = (Path("docs/detection_benchmark.md"), Path("docs/detection.md"))
_MISSING = "-"
# Table 1a of Rabanser et al. 2019, "univariate tests", the row BBSDs: MNIST and CIFAR-10 pooled.
_PUBLISHED = (".19", ".28", ".47", ".47", ".51", ".65", ".70", ".79")


def write(cache: Path, *pages: Path) -> None:
    """Puts the tables of all results in the cache into the pages, by default those of the documentation.

    Raises:
      KeyError: a page asks for a table that there is not.

    """
    found = Results(results.read_all(cache)[1])
    for page in pages or PAGES:
        put(page, lambda name: TABLES[name](found))


def put(page: Path, table_of: Callable[[str], str]) -> None:
    """Puts the table of each name between the markers that name it."""

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}\n{table_of(match[2])}\n{match[3]}"

    pattern = r"(<!-- table (\w+) -->)\n.*?(<!-- end -->)"
    page.write_text(re.sub(pattern, table, page.read_text(), flags=re.DOTALL))


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _share(rate: Rate | None) -> str:
    return _MISSING if rate is None else f"{rate.value:.2f}".replace("0.", ".", 1) if rate.value < 1 else "1"


def false_alarms(found: Results) -> str:
    """Rates of the whole monitor, and of the peers that have p-values, on windows without a shift."""
    names = {
        "ours": "**ours**, 199 permutations",
        "ours_1999": "**ours**, 1,999 permutations",
        "bbsds": "BBSDs + KS",
        "untrained_ks": "KSDrift, untrained encoder",
        "all_features_ks": "our features, KS, Bonferroni",
    }
    rows = []
    for method, title in names.items():
        part = "false_alarms_1999" if method == "ours_1999" else "false_alarms"
        for size in found.sizes(part):
            rates = [found.below(part, size, NULL.name, method, level) for level in (0.01, 0.05)]
            if rates[0] is not None:
                rows.append([title, f"{size:,}", f"{rates[0].trials:,}", *(r.with_interval() for r in rates if r)])
    return markdown(["method", "n", "null windows", "nominal 1 %", "nominal 5 %"], rows)


def _by_size(found: Results, part: str, rules: Iterable[Rule], sizes: Sequence[int], null: str) -> list[list[str]]:
    """A line a rule: mean power at each size, and the rate of false alarms over all null windows of the part."""
    limits, rows = _limits(found, null), []
    for rule in rules:
        powers = [found.pooled(_part_of(rule, part), n, rule, limits) for n in sizes]
        if any(power is not None for power in powers):
            rows.append([rule.title, *map(_share, powers), _null_rate(found, part, null, rule, limits)])
    return rows


def _limits(found: Results, null: str) -> Limits:
    return {**found.limits(null), **found.limits("evidently_null")}


def _part_of(rule: Rule, part: str) -> str:
    """Evidently and MMD ran the same windows in an environment of their own."""
    own = {("evidently", "power_full"): "evidently", ("alibi_mmd", "power_paired"): "mmd"}
    return own.get((rule.method, part), part)


def _null_rate(found: Results, part: str, null: str, rule: Rule, limits: Limits) -> str:
    if rule.recalibrated:
        return "5 % by construction"
    parts = {_part_of(rule, part), null, "evidently_null"}
    rates = [found.rate(p, n, NULL.name, rule, limits) for p in parts for n in found.sizes(p)]
    total = _sum(rates)
    if total is None:
        return _MISSING
    low, high = interval(total.alarms, total.trials)
    return f"{total.value:.3f} ({low:.3f} to {high:.3f})"


def power_full(found: Results) -> str:
    """Mean power over Failing Loudly's shifts with the full reference."""
    rows = _by_size(found, "power_full", RULES, SIZES, "power_full_null")
    return markdown(["method", *(f"n = {n:,}" for n in SIZES), "false alarms measured"], rows)


def power_full_alarms(found: Results) -> str:
    """Alarms on windows without a shift, by n, for rules that are not recalibrated."""
    rows = []
    for rule in RULES:
        parts = (_part_of(rule, "power_full"), "power_full_null", "evidently_null")
        cells = [_share(_sum(found.rate(part, n, NULL.name, rule, {}) for part in parts)) for n in SIZES]
        if not rule.recalibrated and set(cells) != {_MISSING}:
            rows.append([rule.title, *cells])
    return markdown(["method", *(f"n = {n:,}" for n in SIZES)], rows)


def _sum(rates: Iterable[Rate | None]) -> Rate | None:
    some = [rate for rate in rates if rate is not None]
    return Rate(sum(rate.alarms for rate in some), sum(rate.trials for rate in some)) if some else None


def power_full_by_shift(found: Results) -> str:
    """The same at n = 100, shift by shift, over the three fractions."""
    kinds = (
        "noise_small",
        "noise_medium",
        "noise_large",
        "image_small",
        "image_medium",
        "image_large",
        "knock_out",
        "image_medium 0.5 + knock_out",
        "only_zero + image_medium",
    )
    limits, rows = _limits(found, "power_full_null"), []
    for rule in RULES:
        cells = []
        for kind in kinds:
            name = re.compile(re.escape(kind) + r" [\d.]+")
            part = _part_of(rule, "power_full")
            cells.append(_share(found.pooled(part, 100, rule, limits, lambda s, name=name: bool(name.fullmatch(s)))))  # type: ignore[misc]
        if set(cells) != {_MISSING}:
            rows.append([rule.title, *cells])
    return markdown(["method", *kinds], rows)


def power_paired(found: Results) -> str:
    """Like for like with the paper: the reference is as large as the window."""
    rows = _by_size(found, "power_paired", RULES, SIZES, "power_paired")
    rows.append(["Failing Loudly's own table, BBSDs, MNIST and CIFAR-10", *_PUBLISHED[:-1], "not published"])
    return markdown(["method", *(f"n = {n:,}" for n in SIZES), "false alarms measured"], rows)


def power_large(found: Results) -> str:
    """Windows of 10,000: 5,000 images are left for the reference."""
    rows = _by_size(found, "power_large", RULES, [LARGE], "power_large")
    return markdown(["method", f"n = {LARGE:,}", "false alarms measured"], rows)


def nine(found: Results) -> str:
    """Nine everyday shifts in half and in a tenth of the images."""
    half, tenth = (10, 20, 50, 200, 1000), (50, 200, 1000)
    limits, rows = found.limits("null"), []
    for rule in RULES:
        cells = [_share(found.pooled("nine_half", n, rule, limits)) for n in half]
        cells += [_share(found.pooled("nine_tenth", n, rule, limits)) for n in tenth]
        if set(cells) != {_MISSING}:
            rows.append([rule.title, *cells])
    header = [*(f"half, n = {n:,}" for n in half), *(f"a tenth, n = {n:,}" for n in tenth)]
    return markdown(["method", *header], rows)


_SEVERITY_METHODS = ("ours", "bbsds", "untrained_ks", "all_features_ks", "hotelling", "tfdv")


def smallest_windows(found: Results) -> dict[tuple[str, str], float]:
    """(shift, method) -> the smallest n with power 0.9; infinity where 2,000 are not enough."""
    smallest: dict[tuple[str, str], float] = {}
    for record in found.of_part(SEVERITY):
        key = (record["shift"], record["method"])
        smallest.setdefault(key, float("inf"))
        if sum(map(bool, record["alarms"])) >= ENOUGH * len(record["alarms"]):
            smallest[key] = min(smallest[key], record["size"])
    return smallest


def severity(found: Results) -> str:
    """The smallest n, by corruption and severity: ours / BBSDs + KS / the best of the others."""
    smallest = smallest_windows(found)
    names = list(dict.fromkeys(shift.name.rpartition(" ")[0] for shift in severity_shifts()))
    rows = [[name, *(_smallest_cell(smallest, f"{name} {s}") for s in SEVERITIES)] for name in names]
    return markdown(["corruption", *(f"severity {s}" for s in SEVERITIES)], rows)


def _smallest_cell(smallest: Mapping[tuple[str, str], float], shift: str) -> str:
    if (shift, "ours") not in smallest:
        return _MISSING
    others = [smallest.get((shift, m), float("inf")) for m in _SEVERITY_METHODS[2:]]
    numbers = (smallest[shift, "ours"], smallest.get((shift, "bbsds"), float("inf")), min(others))
    return " / ".join("> 2,000" if n == float("inf") else f"{n:,.0f}" for n in numbers)


def severity_summary(found: Results) -> str:
    """Over all cells: how often ours needs fewer, as many and more images than each peer."""
    smallest, rows = smallest_windows(found), []
    shifts = [shift.name for shift in severity_shifts() if (shift.name, "ours") in smallest]
    titles = {rule.method: rule.title for rule in RULES if rule.threshold is None}
    for method in _SEVERITY_METHODS[1:]:
        pairs = [(smallest[s, "ours"], smallest[s, method]) for s in shifts if (s, method) in smallest]
        counts = (sum(a < b for a, b in pairs), sum(a == b for a, b in pairs), sum(a > b for a, b in pairs))
        rows.append([titles[method], *map(str, counts)])
    return markdown(["against", "ours needs fewer", "as many", "more"], rows)


def accuracy(found: Results) -> str:
    """Mean absolute error of each estimator in points, over all corruptions and severities."""
    errors: dict[str, list[float]] = {}
    for record in found.of_part(ACCURACY):
        if record["shift"] != NULL.name:
            pairs = zip(record["estimates"], record["truth"], strict=True)
            errors.setdefault(record["method"], []).extend(100 * abs(a - b) for a, b in pairs)
    ranked = sorted(errors.items(), key=lambda item: sum(item[1]) / len(item[1]))
    rows = [[name, f"{sum(e) / len(e):.2f}", f"{max(e):.1f}", str(len(e))] for name, e in ranked]
    return markdown(["estimator", "mean absolute error, points", "largest", "windows"], rows)


def one_baseline(found: Results) -> str:
    """Rates of false alarms given the baseline, in multiples of the nominal one, before and after."""
    rows = []
    for record in sorted(found.of_part(ONE_BASELINE), key=lambda each: (each["reference"], each["size"])):
        for level in LEVELS:
            plain, guarded = (summary(record, rule, level) for rule in ONE_BASELINE_RULES)
            sizes = [f"{record['size']:,} / {record['reference']:,}", f"{level:.0%}".replace("%", " %")]
            limit = p_value_threshold(level, record["size"], record["reference"])
            rows.append([*sizes, _multiples(plain), f"{limit:.4f}", _multiples(guarded)])
    return markdown(["n / N", "nominal", "alarm at p <= nominal", "the product's threshold", "alarm at that"], rows)


def _multiples(of: Summary) -> str:
    return " / ".join(f"{value:.2f}" for value in (of.mean, of.median, of.twentieth, of.worst))


TABLES: Mapping[str, Callable[[Results], str]] = {
    "false_alarms": false_alarms,
    "power_full": power_full,
    "power_full_alarms": power_full_alarms,
    "power_full_by_shift": power_full_by_shift,
    "power_paired": power_paired,
    "power_large": power_large,
    "nine": nine,
    "severity": severity,
    "severity_summary": severity_summary,
    "accuracy": accuracy,
    "one_baseline": one_baseline,
}

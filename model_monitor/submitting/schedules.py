"""When a recurring run begins: a cron expression as people write it, checked, and as Kubeflow Pipelines reads it.

Its scheduler counts seconds first. Of five fields, which people mean as minute, hour, day, month and weekday, it reads
the first as seconds and the second as minutes: `0 * * * *`, meant as every hour, would start a run every minute.
"""

import re
from dataclasses import dataclass

from components.common.errors import MonitorError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMED = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY = re.compile(r"@every ([0-9]+(\.[0-9]+)?(h|m|s))+")
_PART = re.compile(r"(?P<first>\*|\?|[0-9]+|[a-z]{3})(-(?P<last>[0-9]+|[a-z]{3}))?(/(?P<step>[0-9]+))?")


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()  # of its values, from the least on

    def number(self, text: str) -> int | None:
        """The value that a text stands for; None for one that the field has not."""
        value = self.least + self.names.index(text) if text in self.names else int(text) if text.isdecimal() else -1
        return value if self.least <= value <= self.most else None


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 6, _DAYS),
)


def cron_of(schedule: str) -> str:
    """The expression that Kubeflow Pipelines reads as `schedule` is meant: six fields, seconds first, or a name.

    Args:
      schedule: five fields as of crontab, six with the seconds before them, or a name such as `@daily` or `@every 2h`.

    Raises:
      MonitorError: it is none of these, or a field has a value out of its range.

    Example:
      >>> cron_of("0 * * * *")
      '0 0 * * * *'
      >>> cron_of("@daily")
      '@daily'

    """
    text = " ".join(schedule.split())
    if text in _NAMED or _EVERY.fullmatch(text):
        return text
    fields = text.split(" ")
    if len(fields) not in (5, 6):
        rule = (
            "be five fields of cron (minute, hour, day, month, weekday), six with seconds before them, or @daily etc."
        )
        raise _refused(rule, schedule)
    fields = ["0", *fields][-6:]
    for field, given in zip(_FIELDS, fields, strict=True):
        _check(field, given, schedule)
    return " ".join(fields)


def _check(field: _Field, given: str, schedule: str) -> None:
    for part in given.lower().split(","):
        if not (match := _PART.fullmatch(part)) or not _within(field, **match.groupdict()):
            named = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
            raise _refused(f"have a {field.name} of {field.least} to {field.most}{named} ({part!r} is none)", schedule)


def _within(field: _Field, first: str, last: str | None, step: str | None) -> bool:
    if step is not None and int(step) == 0:
        return False
    if first in "*?":
        return last is None
    begin, end = field.number(first), field.number(last or first)
    return begin is not None and end is not None and begin <= end


def _refused(rule: str, schedule: str) -> MonitorError:
    return MonitorError(f"`--schedule` must {rule}. Received: {schedule!r}")

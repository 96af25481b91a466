"""A schedule is sent as Kubeflow Pipelines reads it: seconds first; what it cannot read is refused here."""

import pytest

from components.common.errors import MonitorError
from model_monitor.submitting.schedules import cron_of


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("0 * * * *", "0 0 * * * *"),  # every hour, not every minute
        (" */15  0-6,22 * jan-MAR mon ", "0 */15 0-6,22 * jan-MAR mon"),
        ("30 0 6 ? * 1-5", "30 0 6 ? * 1-5"),
        ("5/10 * * * *", "0 5/10 * * * *"),
        ("@daily", "@daily"),
        ("@every 1h30m", "@every 1h30m"),
    ],
)
def test_what_is_meant_is_what_is_sent(given, sent):
    assert cron_of(given) == sent


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "five fields"),
        ("hourly", "five fields"),
        ("0 * * *", "five fields"),
        ("0 0 * * * * *", "five fields"),
        ("@fortnightly", "five fields"),
        ("60 * * * *", r"minute of 0 to 59 \('60' is none\)"),
        ("0 24 * * *", "hour of 0 to 23"),
        ("0 0 0 * *", "day of the month of 1 to 31"),
        ("0 0 * 13 *", "month of 1 to 12 or jan to dec"),
        ("0 0 * * 7", "day of the week of 0 to 6 or sun to sat"),
        ("0 0 * * monday", "day of the week"),
        ("9-5 * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("*-5 * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("\u0661 * * * *", "minute"),
    ],
)
def test_what_no_scheduler_reads_is_refused(given, told):
    with pytest.raises(MonitorError, match=f"^`--schedule` must have a {told}|^`--schedule` must be {told}"):
        cron_of(given)

"""What each run of a compiled pipeline can say anew: its runtime parameters, whose defaults the configuration says.

Their names are the same in every pipeline of ours, and are what `model-monitor submit --param` takes.
"""

from tfx.orchestration.data_types import RuntimeParameter

Text = str | RuntimeParameter
Number = float | RuntimeParameter

NEWEST = "newest"
NONE = "none"


def data(default: str) -> RuntimeParameter:
    """Where the data is, with the files that the pipeline's ExampleGen reads."""
    return _text("data", default, "The folder of the data that the model is trained on and evaluated with.")


def baseline(default: str) -> RuntimeParameter:
    """The pushed version that a new model is compared with."""
    told = "What a new model is compared with: the newest pushed version, none, or the folder of a version."
    return _text("baseline", default, told)


def served(default: str) -> RuntimeParameter:
    """The version that is served."""
    told = "The folder of the version that is served or, in a folder of versions, of the newest."
    return _text("baseline", default, told)


def destination(default: str) -> RuntimeParameter:
    """Where models are pushed to."""
    return _text("destination", default, "The folder of versions that blessed models are pushed to.")


def logs(default: str) -> RuntimeParameter:
    """Where serving logs are."""
    return _text("logs", default, "The folder of serving logs, with a folder for each span.")


def span() -> RuntimeParameter:
    """Which span of them."""
    return _text("span", NEWEST, "The number of the span, or newest.")


def previous(default: str) -> RuntimeParameter:
    """What drift is measured against."""
    told = "The statistics of an earlier span, for drift: the newest that were published, their folder, or none."
    return _text("previous", default, told)


def published(default: str) -> RuntimeParameter:
    """Where the statistics of spans are published."""
    return _text("published", default, "The folder that the statistics of each span are published to, or none.")


def labels(default: str) -> RuntimeParameter:
    """Delayed labels."""
    return _text("labels", default or NONE, "The file of delayed labels, id and label as CSV or TFRecord, or none.")


def false_alarm_rate(default: float) -> RuntimeParameter:
    """The rate of false alarms."""
    told = "The chance that a window like the baseline raises any alarm, all features together: above 0, at most 0.5."
    return RuntimeParameter("false_alarm_rate", float, default, told)


def _text(name: str, default: str, description: str) -> RuntimeParameter:
    """One without a default, where that is empty, has to be said by every run."""
    return RuntimeParameter(name, str, default or None, description)

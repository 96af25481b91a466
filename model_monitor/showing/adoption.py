"""What `model-monitor adopt` found out of a model and its held-out examples."""

from rich.console import Console
from rich.markup import escape
from tensorflow_metadata.proto.v0 import schema_pb2

from components.common.artifacts.files import local_files
from components.common.baseline_bundle import BASELINE_STATISTICS_DIR, BUNDLE, SCHEMA_FILE, Bundle
from components.common.proportion import Proportion
from components.common.statistics.feature_sample import FILE_NAME, NO_CLASS, FeatureSample
from components.common.statistics.monitored_features import SKEW, calibrated_names
from components.common.two_sample.false_alarms import caveat
from pipelines.config import AdoptionConfig

from ..reading.run_store import Run
from .lines import Facts
from .parts import times


def show(run: Run, bundle: Bundle, config: AdoptionConfig, console: Console) -> None:
    """A line a fact, and where the baseline is."""
    [split] = bundle.splits(BASELINE_STATISTICS_DIR)
    sample = _sample(bundle, split)
    facts = Facts()
    facts.add("Examples", f"{sample.population:,} held out, scored by the model")
    facts.add("Accuracy", _accuracy(sample))
    facts.add("Features", f"{len(sample.names)} measured of each example")
    facts.add("Thresholds", _thresholds(bundle, config))
    if told := caveat(sample.population):
        facts.add("False alarms", f"{told}; a larger baseline has fewer")
    facts.add("Baseline", escape(f"{bundle.version_dir}/{BUNDLE}"))
    facts.add("Time", times(run))
    console.print()
    facts.show(console)


def _sample(bundle: Bundle, split: str) -> FeatureSample:
    path = f"{bundle.path(BASELINE_STATISTICS_DIR)}/Split-{split}/{FILE_NAME}"
    return FeatureSample.from_bytes(local_files().content(path), path)


def _accuracy(sample: FeatureSample) -> str:
    if sample.labels is None or sample.classes is None:
        return "not known: the Examples have no labels, so that the accuracy of a span can only be compared"
    known = sample.labels != NO_CLASS
    right = int((sample.classes[known] == sample.labels[known]).sum())
    found = Proportion.of(right, int(known.sum()))
    return f"{found.value:.1%}, 95 % interval {found.low:.1%} to {found.high:.1%}, of {found.total:,} with a label"


def _thresholds(bundle: Bundle, config: AdoptionConfig) -> str:
    schema = local_files().message(bundle.path(SCHEMA_FILE), schema_pb2.Schema())
    settings = config.monitor
    features = f"{len(calibrated_names(schema, SKEW))} features"
    planned = (
        f"for windows of {settings.window_size:,} examples and a false-alarm rate of {settings.false_alarm_rate:g}"
    )
    return f"of {features}, {planned}"

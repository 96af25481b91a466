"""A store with a story for the timeline: months of spans, three pushes, alarms of every kind, labels that came late.

    python -m tests.support.timeline_story FOLDER [--spans 48]

Numbers are made up, and the same every time.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.common.artifacts.tf_example import _Example
from components.common.artifacts.tfrecord import frame
from components.common.proportion import Proportion
from components.common.records.drift_report import (
    DRIFT_REPORT_JSON,
    DriftReport,
    Measurement,
    Side,
    State,
    ranked,
)
from components.common.records.performance import (
    PERFORMANCE_JSON,
    STATES,
    Examples,
    LabelledAccuracy,
    Performance,
    Problem,
    accuracy_check,
)
from components.common.statistics.feature_sample import FILE_NAME, FeatureSample
from components.common.verdict import Check, Outcome
from tests.support.example_runs import Story

PIPELINE, TRAINING = "cifar10-monitoring", "cifar10-training"
FALSE_ALARM_RATE, DROP, EXAMPLES, BASELINE_EXAMPLES = 0.01, 0.05, 1000, 2000
IMAGES = 40  # of a span that has some
_HEADER = "components.{}.component.{}"


@dataclass(frozen=True)
class Seen:
    """What a span is like: how much of it changed, how often the model is right, what the clients got wrong."""

    span: int
    right: float
    changed: tuple[str, ...] = ()
    p_value: float | None = 0.5
    labels: bool = False
    wrong_logs: str = ""


def write_timeline(root: Path, spans: int = 48) -> Story:
    """A story of this many spans: a camera goes soft and is mended by a new model, a client scales its pixels."""
    draw = random.Random(7)  # noqa: S311 - the same story every time
    story = Story(root)
    version = _push(story, "0", 0.724)
    accuracy = 0.724
    for span in range(1, spans + 1):
        if span == spans // 3:
            _blocked(story, span)
        if span in (spans // 2, 5 * spans // 6):
            accuracy = 0.756 if span == spans // 2 else 0.771
            version = _push(story, str(span), accuracy)
        look(story, _seen(span, spans, accuracy, draw), version, accuracy, draw)
    return story


def look(story: Story, seen: Seen, version: str, accuracy: float, draw: random.Random, *, images: bool = False) -> None:
    """A monitoring run on a span, against a pushed version whose model is as accurate as this; or with its images."""
    run = story.writer.pipeline_run(PIPELINE, f"2026-09-{seen.span:03d}T06:00")
    baseline = [story._artifact("BaselineImporter", "schema", "Schema", bundle_uri=version)]
    held_out = _samples(story, "BaselineImporter", "baseline_statistics", "eval", ()) if images else {}
    run.node("BaselineImporter", _HEADER.format("baseline_importer", "BaselineImporter"),
             outputs={"schema": baseline, **held_out}, parameters={"bundle_uri": version})  # fmt: skip
    examples = [story._artifact("ServingLogExampleGen", "examples", "Examples", ("serving",), span=seen.span)]
    logs = [story._artifact("ServingLogExampleGen", "anomalies", "ExampleAnomalies", ("serving",), span=seen.span)]
    _write_anomalies(logs[0].uri, seen.wrong_logs)
    run.node("ServingLogExampleGen", outputs={"examples": examples, "anomalies": logs},
             parameters={"input_base": str(story.root / "logs"), "span": seen.span})  # fmt: skip
    if images:
        _write_images(Path(examples[0].uri) / "Split-serving")
        run.node("ImageStatisticsGen", inputs={"examples": examples},
                 outputs=_samples(story, "ImageStatisticsGen", "statistics", "serving", seen.changed))  # fmt: skip
    report = drift_report(seen)
    drift = [story._artifact("SkewDriftValidator", "anomalies", "ExampleAnomalies", ("serving",), span=seen.span,
                             state=report.state.value, outcome=report.outcome.value, sentence=report.sentence,
                             p_value=-1.0 if report.p_value is None else report.p_value)]  # fmt: skip
    _write(drift[0].uri, DRIFT_REPORT_JSON, report.to_json())
    _write_anomalies(drift[0].uri, "")
    run.node("SkewDriftValidator", inputs={"schema": baseline, "statistics": examples}, outputs={"anomalies": drift},
             parameters={"false_alarm_rate": FALSE_ALARM_RATE, "permutations": 2000})  # fmt: skip
    found = performance(seen, accuracy, draw)
    known = {"estimated_accuracy": found.estimate.value} if found.estimate else {}
    known |= {"measured_accuracy": found.labelled.overall.value} if found.labelled and found.labelled.overall else {}
    estimate = [story._artifact("PerformanceEstimator", "anomalies", "ExampleAnomalies", ("serving",), span=seen.span,
                                state=STATES[found.check.outcome], reason=found.check.reason, **known)]  # fmt: skip
    _write(estimate[0].uri, PERFORMANCE_JSON, found.to_json())
    _write_anomalies(estimate[0].uri, "")
    run.node("PerformanceEstimator", inputs={"schema": baseline, "statistics": examples},
             outputs={"anomalies": estimate}, parameters={"max_accuracy_drop": DROP})  # fmt: skip


def _samples(story: Story, node: str, key: str, split: str, changed: Sequence[str]) -> dict[str, list[Any]]:
    """Statistics with a sample of what was measured of each image; what changed is far from the rest."""
    made = story._artifact(node, key, "ExampleStatistics", (split,))
    names = ("image_sharpness", "image_noise", "image_brightness")
    values = np.random.default_rng(3).normal(size=(IMAGES, len(names))).astype(np.float32)
    values -= 5 * np.isin(names, changed)
    folder = Path(made.uri) / f"Split-{split}"
    folder.mkdir()
    FeatureSample(names, values, IMAGES, tuple(f"image:{n}" for n in range(IMAGES))).write(str(folder / FILE_NAME))
    return {key: [made]}


def _write_images(folder: Path) -> None:
    """Images that are each of a grey of its own, as Examples."""
    records = []
    for number in range(IMAGES):
        example = _Example()
        example.features.feature["id"].bytes_list.value.append(f"image:{number}".encode())
        example.features.feature["image"].bytes_list.value.append(bytes([6 * number]) * (32 * 32 * 3))
        records.append(frame(example.SerializeToString()))
    folder.mkdir()
    (folder / "data_tfrecord-00000-of-00001").write_bytes(b"".join(records))


def drift_report(seen: Seen) -> DriftReport:
    """A report in which the changed features lie far beyond chance."""
    features = [*seen.changed, *(f"image_property_{number:02d}" for number in range(24))]
    rate = FALSE_ALARM_RATE
    p_value = seen.p_value
    state, outcome, sentence = State.FINE, Outcome.PASSED, "The window differs from the baseline no more than by chance"
    if p_value is None:
        state, outcome = State.TOO_FEW_EXAMPLES, Outcome.UNDECIDED
        sentence = "The window has 12 examples, fewer than the 30 that are needed"
    elif seen.changed:
        state, outcome = State.CHANGED, Outcome.FAILED
        sentence = f"The window differs from the baseline in {', '.join(seen.changed)}: p = {p_value:.2g}"
    measurements = ranked(
        Measurement("skew", name, "kolmogorov_smirnov", 0.4 if name in seen.changed else 0.02, 0.1,
                    p_value if name in seen.changed else 0.6, p_value if name in seen.changed else 0.9,
                    12.0 if name in seen.changed else -2.0, 0.18, 0.09 if name in seen.changed else 0.18)
        for name in features
    ) if p_value is not None else ()  # fmt: skip
    size = EXAMPLES if p_value is not None else 12
    return DriftReport(state, outcome, sentence, p_value, rate, p_value, None, Side(size, size, seen.span),
                       Side(BASELINE_EXAMPLES, BASELINE_EXAMPLES, 0), None, (), measurements)  # fmt: skip


def performance(seen: Seen, accuracy: float, draw: random.Random) -> Performance:
    """An estimate a little off what is right, and the labels of some spans."""
    baseline = Proportion.of(round(accuracy * BASELINE_EXAMPLES), BASELINE_EXAMPLES)
    guess = None
    undecided = accuracy_check(Outcome.UNDECIDED, "The window has 12 examples, fewer than 50", "NO_DATA_IN_SPAN")
    by_estimate = undecided
    if seen.p_value is not None:
        value = min(0.99, max(0.01, seen.right + draw.gauss(0, 0.012)))
        guess = Proportion(value, value - 0.035, value + 0.035, EXAMPLES)
        by_estimate = _judged("Estimated accuracy", guess.high, value, baseline.value)
    right = Proportion.of(round(seen.right * EXAMPLES), EXAMPLES) if seen.labels else None
    by_labels = _judged("Accuracy by labels", right.high, right.value, baseline.value) if right else None
    labelled = LabelledAccuracy(right, (), EXAMPLES, EXAMPLES, {}, EXAMPLES, {}, Problem()) if right else None
    used = EXAMPLES if guess else 12
    return Performance(by_labels or by_estimate, by_estimate, by_labels, "atc_confidence", DROP, baseline, (), guess,
                       labelled, Examples(BASELINE_EXAMPLES, BASELINE_EXAMPLES, BASELINE_EXAMPLES),
                       Examples(used, used, used))  # fmt: skip


def _judged(what: str, high: float, value: float, baseline: float) -> Check:
    if high < baseline - DROP or value < baseline - DROP:
        fell = f"{what} fell by {100 * (baseline - value):.1f} points, more than the {100 * DROP:.0f} allowed"
        return accuracy_check(
            Outcome.FAILED, f"{fell}: {value:.3f}; the baseline's is {baseline:.3f}", "CUSTOM_VALIDATION"
        )
    return accuracy_check(Outcome.PASSED, f"{what} is {value:.3f}; the baseline's is {baseline:.3f}")


def _seen(span: int, spans: int, accuracy: float, draw: random.Random) -> Seen:
    """What span number `span` of the story is like."""
    right, labels = accuracy + draw.gauss(0, 0.008), span <= spans - 6 and span % 3 != 2
    soft = spans // 3 - 2 <= span < spans // 2  # the camera goes out of focus, until a model that knows it is pushed
    if soft:
        depth = (span - spans // 3 + 3) / (spans // 2 - spans // 3 + 3)
        names = ("image_sharpness", "image_gradient", "image_noise", "image_edge_density")
        return Seen(span, right - 0.14 * depth, names, max(0.0005, 0.008 * (1 - depth) ** 2), labels)
    if span == spans // 5:
        return Seen(span, right, (), None)
    if span in (2 * spans // 3, 2 * spans // 3 + 1):
        return Seen(span, 0.31, ("image_brightness", "image_contrast"), 0.0005, labels, "Pixels scaled to 0..1")
    if span == spans - 3:
        return Seen(span, right - 0.01, ("prediction_embedding_07",), 0.006, labels)
    return Seen(span, right, (), round(max(0.013, draw.random()), 3), labels)


def _push(story: Story, name: str, accuracy: float) -> str:
    """A training run whose model is pushed; the folder of the version."""
    story.penguin(f"2026-08-train-{name}", accuracy=accuracy, pipeline=TRAINING)
    return str(max((story.root / "serving").iterdir()))


def _blocked(story: Story, span: int) -> None:
    """A training run whose model is not good enough."""
    story.penguin(f"2026-08-train-{span}-blocked", accuracy=0.55, pipeline=TRAINING)


def _write(folder: str, name: str, text: str) -> None:
    (Path(folder) / name).write_text(text)


def _write_anomalies(folder: str, wrong: str) -> None:
    message = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    if wrong:
        info = message.dataset_anomaly_info
        info.severity, info.short_description = anomalies_pb2.AnomalyInfo.ERROR, wrong
        info.description = f"{wrong} in 100 % of the images"
        info.reason.add(type=anomalies_pb2.AnomalyInfo.CUSTOM_VALIDATION, description=info.description)
    split = Path(folder) / "Split-serving"
    split.mkdir(parents=True, exist_ok=True)
    (split / "SchemaDiff.pb").write_bytes(message.SerializeToString())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--spans", type=int, default=48)
    options = parser.parse_args()
    print(write_timeline(options.folder, options.spans).metadata)


if __name__ == "__main__":
    main()

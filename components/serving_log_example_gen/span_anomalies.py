"""The verdict on a span of logs: which problems are errors, which are warnings, and when there is no data at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..common.model_spec import ModelSpec
from ..common.pixel_range import PixelRange
from . import tally as names
from .input_checks import scale_problem
from .problems import About, Problem
from .tally import ColourDifference, Tally

ERROR = "ERROR"
WARNING = "WARNING"
CUSTOM = "CUSTOM_VALIDATION"
NO_DATA = "NO_DATA_IN_SPAN"

# What the channel order must be wrong by: standard errors between the window's and the reference's colour.
_COLOUR_Z = 4.0
# The feature that PushGate and TFDV show a problem under.
_FEATURES = {
    About.FILE: "file",
    About.RECORD: "record",
    About.IMAGE: "image",
    About.RESPONSE: "probabilities",
    About.ROW: "id",
}

_ALWAYS_ERRORS = (Problem.UNREADABLE_FILE, Problem.NOT_TFRECORDS, Problem.NOT_READ, Problem.TOO_MANY_ROWS)


@dataclass(frozen=True)
class SpanAnomaly:
    """One anomaly, in the terms of `tensorflow_metadata`'s `AnomalyInfo`; without a feature it is the data set's."""

    feature: str
    type: str
    severity: str
    short: str
    description: str


def judge(tally: Tally, spec: ModelSpec, max_broken_fraction: float) -> list[SpanAnomaly]:
    """All that is wrong with a span, the data set as a whole first; nothing when all is well.

    A problem that concerns more than `max_broken_fraction` of its records or images is an error, otherwise a warning.
    A torn record never is more than a warning. A file that was not read, or not to its end, and rows that were left out
    because there were too many are never less than an error, for nobody knows what they would have said.
    """
    return [
        *_of_the_whole(tally, max_broken_fraction),
        *_of_other_versions(tally),
        *_of_problems(tally, spec, max_broken_fraction),
        *_of_scale(tally, spec.image.range),
        *_sorted_scores(tally),
        *_mixed_responses(tally),
        *_swapped_channels(tally, spec.image.channel_means or ()),
    ]


def _of_the_whole(tally: Tally, max_broken_fraction: float) -> Iterator[SpanAnomaly]:
    counts = tally.counts
    records, broken = counts[names.RECORDS], counts[names.RECORDS_BROKEN]
    unread = counts[names.FILES_NOT_READ]
    if not counts[names.ROWS] and not broken and not counts[names.IMAGES_BROKEN] and not unread:
        yield SpanAnomaly("", NO_DATA, ERROR, "No data in the span", _why_no_rows(tally))
        return
    proportion = broken_proportion(tally)
    if not counts[names.ROWS]:
        text = f"No image could be read: {broken} of {records} records are broken"
        text += f", {unread} of {counts[names.FILES]} files were not read" if unread else ""
        yield SpanAnomaly("", CUSTOM, ERROR, "Nothing readable in the span", text)
    elif proportion > max_broken_fraction:
        text = (
            f"{broken} of {records} records are broken, {_percent(proportion)} of the records or of the bytes; "
            f"at most {_percent(max_broken_fraction)} may be"
        )
        yield SpanAnomaly("", CUSTOM, ERROR, "Too many broken records", text)


def _of_other_versions(tally: Tally) -> Iterator[SpanAnomaly]:
    """Where most requests were answered by another version than the one that is judged: is it the served one at all?"""
    excluded, records = tally.counts[names.RECORDS_EXCLUDED], tally.counts[names.RECORDS]
    if tally.counts[names.ROWS] and 2 * excluded > records:
        others = sorted(version for version, counts in tally.versions.items() if counts[names.RECORDS_EXCLUDED])
        title = "Mostly other model versions"
        text = f"{title}: {excluded} of {records} records are of version {', '.join(others)} and left out"
        yield SpanAnomaly(_FEATURES[About.RECORD], CUSTOM, WARNING, title, text)


def broken_proportion(tally: Tally) -> float:
    """The broken proportion of a span, torn records aside: of its records or of its bytes, whichever is larger.

    A damaged stretch counts as one record however long it is, and then the bytes tell.
    """
    counts = tally.counts
    records = (counts[names.RECORDS_BROKEN] - counts[names.TORN]) / max(1, counts[names.RECORDS])
    return max(records, counts[names.BYTES_BROKEN] / max(1, counts[names.BYTES]))


def _why_no_rows(tally: Tally) -> str:
    counts = tally.counts
    if not counts[names.RECORDS]:
        beside = f", {counts[names.SIDE_FILES]} side files aside" if counts[names.SIDE_FILES] else ""
        return f"No record in {counts[names.FILES]} log files{beside}"
    excluded = counts[names.RECORDS_EXCLUDED]
    versions = ", ".join(sorted(tally.versions))
    of_others = f"{excluded} are of other model versions ({versions})" if excluded else ""
    without = [
        f"{counts[name]} images have no {what}"
        for name, what in ((names.WITHOUT_TIMESTAMP, "timestamp"), (names.WITHOUT_CLIENT, "client"))
        if counts[name]
    ]
    return f"No row from {counts[names.RECORDS]} records: {' and '.join(filter(None, [of_others, *without]))}"


def _of_problems(tally: Tally, spec: ModelSpec, max_broken_fraction: float) -> Iterator[SpanAnomaly]:
    wrong_kind = tally.scores.wrong_kind(spec.outputs.kind)
    hints = {
        Problem.BAD_RESPONSE: "; ".join(filter(None, [wrong_kind, _numbering(tally, spec)])),
        Problem.OTHER_CLASS: _numbering(tally, spec),
    }
    if wrong_kind and Problem.BAD_RESPONSE.key not in tally.problems:
        problem = Problem.WRONG_KIND
        text = f"{problem.short} than the spec says: {wrong_kind}"
        yield SpanAnomaly(_FEATURES[problem.about], CUSTOM, ERROR, problem.short, text)
    for problem in Problem:
        found = tally.problems.get(problem.key)
        if found is None:
            continue
        proportion = tally.proportion(problem)
        severity = ERROR if proportion > max_broken_fraction else WARNING
        if problem in (Problem.TORN_RECORD, Problem.DUPLICATE_ID):
            severity = WARNING
        if problem in _ALWAYS_ERRORS:
            severity = ERROR
        counted = names.counted_in(problem)
        meaning = hints.get(problem, problem.meaning)
        text = (
            f"{problem.short}: {found.count} of {tally.counts[counted]} {counted} ({_percent(proportion)}), "
            f"such as {found.example_id}: {found.found}{'; ' if meaning else ''}{meaning}"
        )
        yield SpanAnomaly(_FEATURES[problem.about], CUSTOM, severity, problem.short, text)


def _numbering(tally: Tally, spec: ModelSpec) -> str:
    return tally.numbering.words_of_class_ids(spec.outputs.class_id_from, spec.num_classes)


def _sorted_scores(tally: Tally) -> Iterator[SpanAnomaly]:
    found, problem = tally.scores.sorted_by_size(), Problem.SORTED_SCORES
    if found:
        yield SpanAnomaly(_FEATURES[problem.about], CUSTOM, ERROR, problem.short, f"{problem.short}: {found}")


def _of_scale(tally: Tally, pixel_range: PixelRange) -> Iterator[SpanAnomaly]:
    """Of images that each could be of the model's range, and together are not: not one has a value below 0, say."""
    values = tally.values
    scale = pixel_range.scale_of_span(values.low, values.high, values.images)
    if scale is None or scale_problem(scale).key in tally.problems:
        return
    problem = scale_problem(scale)
    text = (
        f"{problem.short}: the values of all {values.images} images lie in {values.low:.4g} to {values.high:.4g}, "
        f"where the model takes {pixel_range}"
    )
    yield SpanAnomaly(_FEATURES[problem.about], CUSTOM, ERROR, problem.short, text)


def _mixed_responses(tally: Tally) -> Iterator[SpanAnomaly]:
    if len(tally.outputs) > 1:
        problem = Problem.MIXED_CLASSES
        sizes = ", ".join(
            f"{classes} classes and {dimensions} embedding dimensions in {count} records"
            for (classes, dimensions), count in sorted(tally.outputs.items())
        )
        feature = _FEATURES[problem.about]
        yield SpanAnomaly(feature, CUSTOM, ERROR, problem.short, f"{problem.short}: {sizes}; {problem.meaning}")


def _swapped_channels(tally: Tally, channel_means: Sequence[float]) -> Iterator[SpanAnomaly]:
    """Red and blue are taken for swapped if the window's mean red less blue is as far from the reference's as chance
    hardly ever brings it, and near its negative: of the other sign, and at most twice as large.
    """
    window = ColourDifference.of(tally)
    if window is None or not channel_means:
        return
    reference = channel_means[0] - channel_means[2]
    opposite = window.mean * reference < 0 and abs(window.mean) <= 2 * abs(reference)
    if opposite and abs(window.mean - reference) > _COLOUR_Z * window.error:
        problem = Problem.SWAPPED_CHANNELS
        text = (
            f"{problem.short}: red less blue is {window.mean:.1f} +- {window.error:.1f} on average over "
            f"{tally.red_less_blue[0]} images, {reference:.1f} in the reference; {problem.meaning}"
        )
        yield SpanAnomaly(_FEATURES[problem.about], CUSTOM, ERROR, problem.short, text)


def _percent(proportion: float) -> str:
    """Three digits of a proportion.

    >>> _percent(0.0123), _percent(1.0), _percent(0.0000123)
    ('1.23 %', '100 %', '0.00123 %')
    """
    return f"{100 * proportion:.3g} %"

"""What one run publishes of its span is what the next one is compared with: on a volume and in an object store."""

import json
from pathlib import Path

import pytest

from components import StatisticsImporter, StatisticsPublisher
from components.common import published_statistics
from components.common.artifacts.files import Artifact
from components.common.errors import MonitorError
from components.common.object_store import places
from components.common.step import Output, Step
from components.statistics_importer import step as importing
from components.statistics_publisher import step as publishing


@pytest.fixture(params=["volume", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where statistics are published, with nothing in it yet."""
    if request.param == "volume":
        return str(tmp_path / "published")
    return f"{request.getfixturevalue('bucket')}/published"


def statistics(span: int, tmp_path: Path, text: str = "") -> Artifact:
    made = tmp_path / f"statistics-{span}"
    (made / "Split-serving").mkdir(parents=True, exist_ok=True)
    (made / "Split-serving" / "FeatureStats.pb").write_text(text or f"of span {span}")
    return Artifact(str(made), properties={"span": span}, address=f"minio://runs/statistics-{span}")


def publish(folder: str, span: int, tmp_path: Path, text: str = "", **told: object) -> None:
    told = {"version": "s3://models/1", "states": "fine", "p_value": 0.5, "volumes": "", **told}
    inputs = {
        "statistics": [statistics(span, tmp_path, text)],
        "anomalies": [Artifact("/a", properties={"p_value": told["p_value"]})],  # type: ignore[dict-item]
        "schema": [Artifact("/s", properties={"bundle_uri": str(told["version"])})],
        "report": [Artifact("/r", properties={"states": str(told["states"])})],
    }
    parameters = {"published": folder, "split": "serving", "volumes": str(told["volumes"])}
    publishing.run(Step(inputs, {}, parameters))


def newest(folder: str, span: int, tmp_path: Path, uri: str = "newest", **told: object) -> Output:
    """What is imported for a span."""
    output = Output(str(tmp_path / "imported"))
    inputs = {
        "window": [Artifact("/w", properties={"span": span})],
        "schema": [Artifact("/s", properties={"bundle_uri": str(told.get("version", "s3://models/1"))})],
    }
    parameters = {"statistics_uri": uri, "published": folder, "split": "serving", "fine": int(bool(told.get("fine")))}
    importing.run(Step(inputs, {"statistics": [output]}, parameters))
    return output


def content(output: Output) -> str:
    return Path(output.path("Split-serving", "FeatureStats.pb")).read_text()


def test_the_newest_earlier_span_is_taken_with_its_number(folder: str, tmp_path: Path):
    for span in (2, 10, 11):
        publish(folder, span, tmp_path)
    output = newest(folder, 11, tmp_path)
    assert (content(output), output.span, output.split_names) == ("of span 10", 10, ["serving"])
    assert output.properties == {"copied_from": "minio://runs/statistics-10"}


def test_before_the_first_there_is_none(folder: str, tmp_path: Path):
    assert newest(folder, 1, tmp_path).properties == {"is_none": 1}
    publish(folder, 1, tmp_path)
    assert newest(folder, 1, tmp_path).properties == {"is_none": 1}


def test_what_cannot_be_compared_with_is_passed_over(folder: str, tmp_path: Path):
    publish(folder, 1, tmp_path)
    publish(folder, 2, tmp_path, states="changed,undecided")
    publish(folder, 3, tmp_path, version="s3://models/2")
    publish(folder, 4, tmp_path, p_value=-1.0)  # too few examples
    assert newest(folder, 5, tmp_path).span == 2
    assert newest(folder, 5, tmp_path, fine=True).span == 1
    assert newest(folder, 5, tmp_path, version="s3://models/2/").span == 3


def test_a_span_that_is_evaluated_again_takes_its_own_place(folder: str, tmp_path: Path):
    publish(folder, 1, tmp_path, "before")
    publish(folder, 1, tmp_path, "after", states="changed")
    assert content(newest(folder, 2, tmp_path)) == "after"
    assert newest(folder, 2, tmp_path, fine=True).properties == {"is_none": 1}


def test_the_folder_of_a_span_can_be_named(folder: str, tmp_path: Path):
    publish(folder, 7, tmp_path)
    assert newest("", 9, tmp_path, uri=f"{folder}/7/").span == 7


def test_what_was_not_published_to_its_end_is_not_seen(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    publish(folder, 1, tmp_path)
    monkeypatch.setattr(published_statistics, "_write", _killed)
    with pytest.raises(OSError, match="killed"):
        publish(folder, 2, tmp_path)
    assert len(places.names(f"{folder}/2")) == 1
    assert newest(folder, 3, tmp_path).span == 1


def _killed(path: str, text: str) -> None:
    raise OSError("killed")


RECORD = {"span": 1, "name": "a", "version": "", "states": [], "uri": ""}
DAMAGED = ({"span": 1}, {**RECORD, "span": "1"}, {**RECORD, "name": "../a"}, {**RECORD, "states": "fine"})


@pytest.mark.parametrize("text", ["", "{", "[]", *map(json.dumps, DAMAGED)])
def test_a_damaged_record_is_named_or_is_no_record(text: str, tmp_path: Path):
    publish(str(tmp_path / "published"), 1, tmp_path)
    (tmp_path / "published" / "1" / "newest.json").write_text(text)
    if not text:
        assert newest(str(tmp_path / "published"), 2, tmp_path).properties == {"is_none": 1}
        return
    with pytest.raises(MonitorError, match=r"published/1/newest\.json"):
        newest(str(tmp_path / "published"), 2, tmp_path)


def test_nothing_is_published_where_nothing_is_asked_for_or_it_would_not_last(tmp_path: Path):
    publish("none", 1, tmp_path)
    with pytest.raises(MonitorError, match=r"`published` must be in an object store or on a volume"):
        publish(str(tmp_path / "published"), 1, tmp_path, volumes=json.dumps(["/volume"]))
    with pytest.raises(MonitorError, match=r"`published` must be where statistics are published"):
        newest("none", 1, tmp_path)


@pytest.mark.parametrize("arguments", [{"published": ""}, {"published": "/p", "split": ""}])
def test_arguments_are_checked_when_the_pipeline_is_built(arguments):
    channels = dict.fromkeys(("statistics", "anomalies", "schema", "report"))
    with pytest.raises(MonitorError):
        StatisticsPublisher(**arguments, **channels)
    with pytest.raises(MonitorError, match="come with `window` and `schema`"):
        StatisticsImporter("newest", published="/published")

"""Statistics of an earlier span arrive, or it is said that there are none."""

from pathlib import Path

import pytest

from components import StatisticsImporter
from components.common.errors import MonitorError
from components.common.step import Output, Step
from components.statistics_importer import step


@pytest.fixture
def earlier(tmp_path: Path) -> str:
    for split in ("serving", "other"):
        (tmp_path / "earlier" / f"Split-{split}").mkdir(parents=True)
        (tmp_path / "earlier" / f"Split-{split}" / "FeatureStats.pb").write_text(split)
    return str(tmp_path / "earlier")


def imported(node: StatisticsImporter, folder: Path) -> Output:
    output = Output(str(folder / "imported"))
    step.run(Step({}, {"statistics": [output]}, node.exec_properties))
    return output


def test_the_one_split_comes_along_and_the_span_is_said(earlier: str, tmp_path: Path):
    output = imported(StatisticsImporter(f"{earlier}/", span=6), tmp_path)
    assert [str(each.relative_to(output.uri)) for each in sorted(Path(output.uri).rglob("*.pb"))] == [
        "Split-serving/FeatureStats.pb"
    ]
    assert (output.split_names, output.span, output.properties) == (["serving"], 6, {})


def test_none_is_said_to_be_none(tmp_path: Path):
    output = imported(StatisticsImporter("none"), tmp_path)
    assert (output.split_names, output.span, output.properties) == ([], None, {"is_none": 1})
    assert not Path(output.uri).exists()


def test_what_has_no_such_split_is_refused(earlier: str, tmp_path: Path):
    with pytest.raises(MonitorError, match=r"with a folder Split-eval\. Received: .*/earlier"):
        imported(StatisticsImporter(earlier, split="eval"), tmp_path)
    with pytest.raises(MonitorError, match="must be a readable folder"):
        imported(StatisticsImporter(str(tmp_path / "nowhere")), tmp_path)


@pytest.mark.parametrize("arguments", [{"uri": ""}, {"uri": "/s", "split": ""}, {"uri": "/s", "span": "7"}])
def test_arguments_are_checked_when_the_pipeline_is_built(arguments):
    with pytest.raises(MonitorError):
        StatisticsImporter(**arguments)

"""A schema arrives as it was written."""

from pathlib import Path

import pytest

from components import SchemaImporter
from components.common.errors import MonitorError
from components.common.step import Output, Step
from components.schema_importer import step

TEXT = '# curated\nfeature { name: "image" type: BYTES }\n'


def test_the_text_is_in_the_artifact_comments_and_all(tmp_path: Path):
    output = Output(str(tmp_path / "schema"))
    step.run(Step({}, {"schema": [output]}, SchemaImporter(TEXT).exec_properties))
    assert Path(output.path("schema.pbtxt")).read_text() == TEXT


@pytest.mark.parametrize("text", ["", "feature {", "weather: 7", 7])
def test_what_is_no_schema_is_refused_when_the_pipeline_is_built(text):
    with pytest.raises(MonitorError, match="`schema_text` must be"):
        SchemaImporter(text)

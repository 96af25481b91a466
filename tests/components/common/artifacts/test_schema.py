import pytest

from components.common.artifacts.files import Artifact, local_files
from components.common.artifacts.schema import read_schema
from components.common.errors import MonitorError


def test_a_schema_that_was_read_before_is_a_message_of_its_own(tmp_path):
    (tmp_path / "schema.pbtxt").write_text('feature { name: "a" }')
    first = read_schema(Artifact(str(tmp_path)), local_files())
    first.feature[0].name = "changed"
    assert [each.name for each in read_schema(Artifact(str(tmp_path)), local_files()).feature] == ["a"]
    (tmp_path / "schema.pbtxt").write_text('feature { name: "b" }')
    assert [each.name for each in read_schema(Artifact(str(tmp_path)), local_files()).feature] == ["b"]


def test_more_than_one_schema_is_an_error(tmp_path):
    for name in ("a.pbtxt", "b.pbtxt"):
        (tmp_path / name).write_text('feature { name: "a" }')
    with pytest.raises(MonitorError, match=r"must hold one schema. Received: 2"):
        read_schema(Artifact(str(tmp_path)), local_files())


def test_what_a_person_wrote_is_read_strictly_where_it_is_asked_for(tmp_path):
    (tmp_path / "schema.pbtxt").write_text('feature { name: "a" flaot_domain { min: 0 } }')
    assert read_schema(Artifact(str(tmp_path)), local_files()).feature[0].name == "a"
    with pytest.raises(MonitorError, match=r'schema\.pbtxt must hold a message Schema\. .*"flaot_domain"'):
        read_schema(Artifact(str(tmp_path)), local_files(), strict=True)

"""Where the SavedModel of a model is: as TFX itself finds it."""

import pytest

from components.common.artifacts.files import Artifact, local_files
from components.common.artifacts.model_files import saved_model_folder
from components.common.errors import MonitorError


@pytest.mark.parametrize("present", [
    "Format-Serving", "Format-Serving/export/flowers/1795483923", "serving_model_dir", "serving_model_dir/export/a/1",
])  # fmt: skip
def test_it_is_where_trainers_of_every_time_have_put_it(tmp_path, present):
    from tfx.utils import path_utils

    (tmp_path / present).mkdir(parents=True)
    found = saved_model_folder(Artifact(str(tmp_path)), local_files())
    assert found == str(tmp_path / present)
    assert found == path_utils.serving_model_path(str(tmp_path), present.startswith("serving_model_dir"))


def test_where_there_is_nothing_it_would_be_where_trainer_puts_it():
    assert saved_model_folder(Artifact("/nowhere"), local_files()) == "/nowhere/Format-Serving"


def test_several_exports_are_an_error(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "Format-Serving" / "export" / name).mkdir(parents=True)
    with pytest.raises(MonitorError, match=r"must hold one model\. Received: \['a', 'b'\]"):
        saved_model_folder(Artifact(str(tmp_path)), local_files())

"""The compiled pipelines, line by line: what changes in them is seen in the review of the change.

`python -m tests.pipelines.runners.test_golden` writes the files anew.
"""

from importlib.metadata import version
from pathlib import Path

import pytest

from pipelines.runners.kubeflow import compile_pipeline
from pipelines.runners.project_version import project_version
from tests.support.kubeflow.compiled import IMAGE, monitoring_pipeline, training_pipeline

GOLDEN = Path(__file__).parent / "golden"
PLACES = {"kfp": "s3", "vertex": "gs"}
FILES = (("training", "kfp"), ("monitoring", "kfp"), ("monitoring", "vertex"))
PIPELINES = {
    "training": (training_pipeline, ("dataset={}://data/cifar10", "serving_dir={}://models", "serving_logs={}://logs")),
    "monitoring": (
        monitoring_pipeline,
        ("serving_dir={}://models", "serving_logs={}://logs", "statistics_dir={}://statistics"),
    ),
}


def compiled(which: str, target: str) -> str:
    """The file, without the versions of the project and of TFX: it is the same of every release and line."""
    create, settings = PIPELINES[which]
    pipeline = create(*(setting.format(PLACES[target]) for setting in settings))
    text = compile_pipeline(pipeline, image=IMAGE, target=target)
    return text.replace(project_version(), "VERSION").replace(f"tfx-{version('tfx')}", "tfx-VERSION")


@pytest.mark.parametrize(("which", "target"), FILES)
def test_what_is_compiled_is_what_was_reviewed(which: str, target: str):
    assert compiled(which, target) == (GOLDEN / f"{which}.{target}.yaml").read_text(encoding="utf-8")


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, kind in FILES:
        (GOLDEN / f"{name}.{kind}.yaml").write_text(compiled(name, kind), encoding="utf-8")

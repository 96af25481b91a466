"""The section `kubeflow` of a configuration is checked as a whole, before anything is compiled."""

import pytest

from components.common.errors import MonitorError
from pipelines.config import MonitoringConfig, OwnConfig, load


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("env={AWS_SECRET_ACCESS_KEY: x}", "must not have AWS_SECRET_ACCESS_KEY in `env`, which everybody can read"),
        ("env={1A: x}", r"`kubeflow\.env"),
        ("mounts=[{claim: Models, path: /serving}]", r"`kubeflow\.mounts\[0\]\.claim`"),
        ("mounts=[{claim: models, path: serving}]", "must be an absolute path of a folder, such as /serving"),
        ("mounts=[{claim: models, path: /a/../b}]", "must be an absolute path of a folder"),
        ("mounts=[{claim: a, path: /serving}, {claim: b, path: /serving}]", "must have `mounts` with a path each"),
        ("secrets=[{name: a, env: {KEY: k}}, {name: b, env: {KEY: k}}]", "must say KEY once"),
        ("resources={Trainer: {cpu: 0}}", r"`kubeflow\.resources\.Trainer\.cpu` must be greater than 0"),
        ("resources={Trainer: {gpu: 1}}", r"there is no key `kubeflow\.resources\.Trainer\.gpu`"),
    ],
)
def test_what_is_wrong_is_said(setting: str, sentence: str):
    with pytest.raises(MonitorError, match=sentence):
        load(MonitoringConfig, None, [f"kubeflow.{setting}"])


def test_a_volume_holds_what_is_below_its_path():
    settings = load(
        MonitoringConfig, None, ["kubeflow.mounts=[{claim: a, path: /m}, {claim: b, path: /m/inner}]"]
    ).kubeflow
    found = {path: settings.mount_of(path) for path in ("/m", "/m/x/", "/m/inner/x", "/m2", "/m/../x", "m")}
    assert {path: mount and mount.claim for path, mount in found.items()} == {
        "/m": "a", "/m/x/": "a", "/m/inner/x": "b", "/m2": None, "/m/../x": None, "m": None,
    }  # fmt: skip


def test_a_pipeline_of_one_s_own_is_told_nothing_else():
    assert load(OwnConfig, None, ["kubeflow.image=i"]).kubeflow.image == "i"
    with pytest.raises(MonitorError, match="must have no `root`: a pipeline of one's own says that itself"):
        load(OwnConfig, None, ["root=runs"])

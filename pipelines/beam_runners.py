"""Where Beam runs: what each runner needs to be told, and Beam's options for it. Imports no Beam."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from components.common.strict_text import TextError, parse_json

BeamRunner = Literal["local", "multi", "flink", "spark", "dataflow"]

# What no runner here looks at. Where no option says what workers install, TFX builds a package of itself for every Beam
# executor, which takes seconds and which nobody here installs. What Beam pickles with by default, dill, has its log
# level set for each object, which visits all loggers of all libraries: a tenth of a short pipeline's time
# (docs/traps.md).
_IMAGE = "--sdk_container_image"
_NO_IMAGE = f"{_IMAGE}=unused"
_PICKLED = "--pickle_library=cloudpickle"
_ENVIRONMENT = "--environment_type"
_CONFIG = "--environment_config"
_RUNNER = "--runner"
# Runs in the process of each component.
LOCAL_BEAM_ARGS = (f"{_RUNNER}=apache_beam.runners.portability.fn_api_runner.FnApiRunner", _NO_IMAGE, _PICKLED)
_MULTI = "--direct_running_mode=multi_processing"


@dataclass(frozen=True)
class _Kind:
    """A runner: Beam's own options for it, those it needs to be told, with what they say, and further rules."""

    options: tuple[str, ...]
    needed: Mapping[str, str] = field(default_factory=dict)
    rules: Callable[[Mapping[str, str]], list[str]] = lambda _: []


def beam_options(runner: BeamRunner, given: Sequence[str]) -> tuple[str, ...]:
    """Beam's options for a runner: what it always needs, then what was given, which goes before it.

    Args:
      runner: one of `BeamRunner`.
      given: further options, `--name=value` or `--name`. They may name a `--runner` themselves where `runner` is local:
        then they are taken as they are.

    Raises:
      ValueError: with all that is missing or wrong, in one sentence.

    """
    told = _told(given)
    if _RUNNER in told:
        if runner != "local":
            raise ValueError(f"must name no --runner beside `beam_runner: {runner}`")
        return tuple(given)
    kind = _KINDS[runner]
    found = [f"{name}={what}" for name, what in kind.needed.items() if not told.get(name)]
    found += kind.rules(told)
    if found:
        raise ValueError(f"must say what `beam_runner: {runner}` needs: {'; '.join(found)}")
    usual = [option for option in kind.options if option.partition("=")[0] not in told]
    return (*usual, *given)


def _told(given: Sequence[str]) -> dict[str, str]:
    """The value of each option, which stands behind it or follows it; "" for one that has none."""
    told: dict[str, str] = {}
    for option, behind in zip(given, [*given[1:], "--"], strict=False):
        name, stated, value = option.partition("=")
        if option.startswith("--"):
            told[name] = value if stated or behind.startswith("--") else behind
    return told


def _workers(told: Mapping[str, str]) -> list[str]:
    """What is wrong with where Python workers of a portable runner come from."""
    kind, config = told.get(_ENVIRONMENT, ""), told.get(_CONFIG, "")
    if kind == "PROCESS" and not _has_command(config):
        worker = "that starts pipelines.runners.beam_worker on the cluster's machines"
        return [f'{_ENVIRONMENT}=PROCESS needs {_CONFIG}={{"command": "SCRIPT"}}, a script {worker}']
    if kind == "EXTERNAL" and not config:
        return [f"{_ENVIRONMENT}=EXTERNAL needs {_CONFIG}=HOST:PORT, a pool of workers"]
    if kind == "DOCKER" and not told.get(_IMAGE):
        return [f"{_ENVIRONMENT}=DOCKER needs {_IMAGE}=IMAGE with this project in it"]
    known = ("LOOPBACK", "PROCESS", "EXTERNAL", "DOCKER")
    return [] if kind in ("", *known) else [f"{_ENVIRONMENT} must be one of {', '.join(known)}, and is {kind}"]


def _has_command(config: str) -> bool:
    try:
        found = parse_json(config)
    except TextError:
        return False
    return isinstance(found, dict) and isinstance(found.get("command"), str) and bool(found["command"])


def _places(told: Mapping[str, str]) -> list[str]:
    """What is wrong with the folders of Dataflow."""
    given = {name: told[name] for name in ("--temp_location", "--staging_location") if told.get(name)}
    return [f"{name} must be a folder gs://BUCKET/..., and is {place}" for name, place in given.items()
            if not place.startswith("gs://")]  # fmt: skip


_WORKERS_FROM = "LOOPBACK (in the process of each component), PROCESS, EXTERNAL or DOCKER"
_KINDS: Mapping[BeamRunner, _Kind] = {
    "local": _Kind(LOCAL_BEAM_ARGS),
    "multi": _Kind(
        (f"{_RUNNER}=pipelines.runners.processes.ProcessRunner", _MULTI, "--direct_num_workers=0", _NO_IMAGE, _PICKLED)
    ),
    "flink": _Kind(
        (f"{_RUNNER}=FlinkRunner", _NO_IMAGE, _PICKLED),
        {"--flink_master": "HOST:PORT of its REST interface", _ENVIRONMENT: _WORKERS_FROM},
        _workers,
    ),
    "spark": _Kind(
        (f"{_RUNNER}=SparkRunner", _NO_IMAGE, _PICKLED),
        {"--spark_master_url": "spark://HOST:PORT", _ENVIRONMENT: _WORKERS_FROM},
        _workers,
    ),
    "dataflow": _Kind(
        (f"{_RUNNER}=DataflowRunner", _PICKLED),
        {
            "--project": "the project that pays",
            "--region": "where it runs, such as europe-west4",
            "--temp_location": "gs://BUCKET/FOLDER",
            _IMAGE: "an image with Beam's worker and this project in it",
        },
        _places,
    ),
}

"""A cluster whose ML Metadata is damaged: every run is read by all that reads runs, and none is fine for it."""

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf import struct_pb2
from ml_metadata.proto import metadata_store_pb2 as mlmd
from werkzeug.test import Client

from components.common.artifacts.files import DAMAGE
from components.common.errors import MonitorError
from components.common.verdict_words import Outcome
from components.validation_report import build, rendering
from model_monitor.comparing.comparison import compare
from model_monitor.incidents.listing import listed
from model_monitor.incidents.settings import IncidentsConfig
from model_monitor.reading.explanation import explain
from model_monitor.reading.history import History
from model_monitor.reading.report_sources import sources_of
from model_monitor.showing import inspection, reasons
from model_monitor.showing.json_records import explanation_record, node_record, run_record
from model_monitor.terminal import make_console
from model_monitor.ui.app import Application, hosts_for
from model_monitor.ui.pages import Site
from tests.support.kubeflow.recorded_runs import Recorded, recorded
from tests.support.kubeflow.recorder import Recorder

pytestmark = pytest.mark.long

SOAKED = 240  # seconds, of the full attack
TEXTS = (
    "", "\0", "\x1b[2J", "[/red]", "<script>alert(1)</script>", "x" * 100_000, "\u202e", "NaN", "1e999", "{", "[" * 200,
    '{"list": [1]}', '{"struct": 1}', '{"list": ', "/etc/passwd", "file:///etc/passwd", "minio://", "minio://mlpipeline",
    "minio://mlpipeline/v2/artifacts/../../x", "s3://other/key", "oci://x/y", "://", "minio://MLPIPELINE/a?b#c",
    "../..", "tfx.ModelBlessing", "passed", "1", "-1", '["A"]', "null",
)  # fmt: skip
NUMBERS = (0.0, 1.0, -1.0, 1e308, -1e308, 0.5, 1e-300, 2.0**60)  # ML Metadata keeps no others
WHOLES = (0, 1, -1, 2**63 - 1, -(2**63), 7)


def values(draw: random.Random) -> mlmd.Value:
    """A value of any kind that a property may have."""
    kind = draw.randrange(5)
    if kind == 0:
        return mlmd.Value(string_value=draw.choice(TEXTS))
    if kind == 1:
        return mlmd.Value(double_value=draw.choice(NUMBERS))
    if kind == 2:
        return mlmd.Value(int_value=draw.choice(WHOLES))
    struct = struct_pb2.Struct()
    if kind == 3:
        struct.update(
            {draw.choice(("list", "struct", "spec", "inputs")): draw.choice((None, 1.5, "{", [1, [2]], {"a": {}}))}
        )
    return mlmd.Value(struct_value=struct)


@contextlib.contextmanager
def poisoned(there: Recorded, draw: random.Random) -> Iterator[str]:
    """Something of an execution, an artifact or a run is another, until the end; gives what in words."""
    store = there.recorder.store
    kinds: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
        (store.get_executions, lambda each: store.put_executions([each])),
        (store.get_artifacts, lambda each: store.put_artifacts([each])),
        (store.get_contexts, lambda each: store.put_contexts([each])),
    ]
    get, put = draw.choice(kinds)
    before = draw.choice(get())
    changed = type(before)()
    changed.CopyFrom(before)
    names = sorted(changed.custom_properties) or ["x"]
    what = draw.randrange(4)
    if what == 0 and hasattr(changed, "uri"):
        changed.uri = draw.choice(TEXTS)
    elif what == 1 and hasattr(changed, "last_known_state"):
        changed.last_known_state = draw.randrange(7)
    elif what == 2:
        changed.custom_properties.pop(draw.choice(names), None)
    else:
        changed.custom_properties[draw.choice(names)].CopyFrom(values(draw))
    put(changed)
    try:
        yield f"{type(before).__name__} {before.id}: {changed}"[:2000]
    finally:
        put(before)


def outcomes(there: Recorded) -> dict[str, Outcome]:
    history = History(there.recorder.store, files=there.files)
    return {run.run_id: history.verdict(run).outcome for run in history.runs}


def read_all(there: Recorded, draw: random.Random) -> dict[str, Outcome]:
    """Every way there is to look at the runs; what each comes to."""
    store = there.recorder.store
    history, console = History(store, files=there.files), make_console(open("/dev/null", "w"))  # noqa: SIM115
    inspection.show_runs(history, history.runs, 0, console)
    run, other = draw.choice(history.runs), draw.choice(history.runs)
    run_record(history, run)
    inspection.show_run(history, run, console)
    for node in run.nodes.values():
        node_record(node)
        inspection.show_node(node, console)
    for ask in (
        lambda: reasons.show(history, explain(history, run), console, []),
        lambda: explanation_record(history, explain(history, run)),
        lambda: rendering.render(build.build_page(sources_of(run), run.files, history.verdict(run))),
        lambda: compare(history, run, other),
        lambda: listed(history, IncidentsConfig()),
    ):
        with contextlib.suppress(MonitorError):  # one sentence
            ask()
    client = Client(Application(Site("kfp://here", "", files=there.files, store=store), hosts=hosts_for("127.0.0.1")))
    made = [each.id for node in run.nodes.values() for each in node.made]
    for path in (
        "/",
        f"/runs/{run.id}",
        f"/runs/{run.id}/report/content",
        *(f"/artifacts/{each}" for each in made[:2]),
    ):
        answer = client.get(path, headers={"Host": "127.0.0.1"})
        text = answer.get_data().decode(errors="replace")
        assert answer.status_code in (200, 404, 503), (path, text[-800:])
        assert "<script>alert" not in text
    return {each.run_id: history.verdict(each).outcome for each in history.runs}


@pytest.fixture(scope="module")
def there(tmp_path_factory) -> Recorded:
    from tests.model_monitor.conftest import tell

    told = tell(tmp_path_factory.mktemp("told"))
    for version in (told.story.root / "serving").iterdir():
        (version / "saved_model.pb").write_bytes(b"a model")
    folder = tmp_path_factory.mktemp("objects")
    return recorded(told.metadata, told.story.root / "serving", Recorder.in_memory(), folder)


def test_damaged_metadata_is_read_by_all_and_makes_nothing_fine(there, tries, report):
    draw = random.Random(11)  # noqa: S311 - the same attack every time
    intact, tried = outcomes(there), 0
    end = time.monotonic() + tries(float("inf"), SOAKED)
    for _ in itertools.islice(itertools.count(), tries(25, 100_000)):
        if time.monotonic() > end:
            break
        with poisoned(there, draw) as what:
            try:
                says = read_all(there, draw)
            except (*DAMAGE, OSError) as error:
                raise AssertionError(what) from error
        fine = [
            run for run, outcome in says.items() if outcome is Outcome.PASSED and intact.get(run) is not Outcome.PASSED
        ]
        assert fine == [], what
        tried += 1
    assert outcomes(there) == intact
    report("damaged records of a cluster's ML Metadata read by everything", tried, tried)

"""`model-monitor inspect`: what ran, how it ended, what it made and what is in that."""

import argparse
from typing import Any

from rich.console import Console

from components.common.errors import MonitorError, require, require_known

from ..reading.artifact_tables import open_artifact
from ..reading.history import ARTIFACT_PREFIX, History
from ..reading.origins import Origin, origins
from ..reading.run_store import Run
from ..showing import inspection
from ..showing.json_records import FORMAT_VERSION, artifact_record, node_record, opened_record, run_record
from ..terminal import make_console
from . import EXIT_FINE
from .storing import add_json, add_store, open_history, print_json

DESCRIPTION = """Lists the runs in a store of ML Metadata, newest first; shows one run, or opens the artifacts of a node
or of a type. Reads only, and the store of any TFX pipeline."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help='an id, the beginning of a run id, "latest", or artifact:ID for one artifact; default: all runs',
    )
    parser.add_argument("--node", default="", metavar="NAME", help="what this node took and gave")
    parser.add_argument("--type", default="", metavar="TYPE", help="artifacts of this type, e.g. ExampleAnomalies")
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="at most N runs, artifacts, or rows of a table; 0: all"
    )
    add_store(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    require(options.limit >= 0, "--limit", "be 0 or more", options.limit)
    history, console = open_history(options), make_console()
    if options.run and options.run.startswith(ARTIFACT_PREFIX):
        _artifact(history, options, console)
    elif options.run and (options.node or options.type):
        _opened(history, history.run(options.run), options, console)
    elif options.run:
        _run(history, history.run(options.run), options, console)
    elif options.node or options.type:
        _artifacts(history, options, console)
    else:
        _runs(history, options, console)
    return EXIT_FINE


def _runs(history: History, options: argparse.Namespace, console: Console) -> None:
    shown = history.runs[: options.limit or None]
    if options.json:
        _print(console, {"runs": [run_record(history, each) for each in shown], "total": len(history.runs)})
    elif shown:
        inspection.show_runs(history, shown, len(history.runs) - len(shown), console)
    else:
        console.print("There is no run in the store yet.")


def _run(history: History, chosen: Run, options: argparse.Namespace, console: Console) -> None:
    if options.json:
        nodes = [node_record(node) for node in chosen.nodes.values()]
        _print(console, {"run": run_record(history, chosen), "nodes": nodes})
    else:
        inspection.show_run(history, chosen, console)


def _artifacts(history: History, options: argparse.Namespace, console: Console) -> None:
    """What all runs gave, each artifact once, newest run first; it is not opened."""
    found = origins(history.runs, options.node, options.type)
    _require_some(found, history.runs, options)
    once = list({artifact.id: (each, node, key, artifact) for each, node, key, artifact in found}.values())
    shown = once[: options.limit or None]
    if options.json:
        records = [
            {**artifact_record(artifact), "run": each.id, "node": node.name, "output": key}
            for each, node, key, artifact in shown
        ]
        _print(console, {"artifacts": records, "total": len(once)})
    else:
        inspection.show_artifacts(shown, len(once) - len(shown), console)


def _opened(history: History, chosen: Run, options: argparse.Namespace, console: Console) -> None:
    """What one run gave, opened."""
    if options.node:
        require_known(options.node, chosen.nodes, "--node")
    found = origins([chosen], options.node, options.type)
    if options.type or not options.node:
        _require_some(found, [chosen], options)
    node = chosen.nodes[options.node] if options.node else None
    if options.json:
        records = [opened_record(open_artifact(origin[3], chosen.files)) for origin in found]
        _print(console, {"node": node_record(node) if node else None, "opened": records})
        return
    if node:
        inspection.show_node(node, console)
    for origin in found:
        inspection.show_opened(open_artifact(origin[3], chosen.files), origin, options.limit, console)


def _artifact(history: History, options: argparse.Namespace, console: Console) -> None:
    origin = history.artifact(options.run.removeprefix(ARTIFACT_PREFIX))
    opened = open_artifact(origin[3], origin[0].files)
    if options.json:
        _print(console, {"node": None, "opened": [opened_record(opened)]})
    else:
        inspection.show_opened(opened, origin, options.limit, console)


def _require_some(found: list[Origin], runs: list[Run], options: argparse.Namespace) -> None:
    """Says which names there are when a filter leaves nothing."""
    if found:
        return
    if options.node:
        require_known(options.node, {name for each in runs for name in each.nodes}, "--node")
    if options.type:
        require_known(options.type, {origin[3].type for origin in origins(runs)}, "--type")
    raise MonitorError(f"{options.node} gives no artifact of type {options.type}")


def _print(console: Console, record: dict[str, Any]) -> None:
    print_json(console, {"format_version": FORMAT_VERSION, **record})

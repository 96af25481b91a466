"""Command line of the detection benchmark; docs/detection_benchmark.md says what the steps are for."""

import argparse
import subprocess
from pathlib import Path

from . import accuracy, data, one_baseline, quick, runner, tables
from .methods import METHODS
from .plan import IN_PEERS_ENVIRONMENT, PARTS

HERE_PARTS = [name for name in PARTS if name not in IN_PEERS_ENVIRONMENT]
LATE_PARTS = ("power_large", "false_alarms_1999")  # dear, and less asked for than the estimates of accuracy


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("build/bench"), help="tables and results; runs go on there")
    parser.add_argument("--quick", action="store_true", help="two minutes on the embedded sample, with assertions")
    steps = parser.add_subparsers(dest="step")
    _add_data(steps.add_parser("data", help="measure the held-out images, shifted in every way, once for all trials"))
    _add_run(steps.add_parser("run", help="run the trials that are not there yet"))
    steps.add_parser("accuracy", help="errors of the label-free estimates of accuracy").set_defaults(run=_accuracy)
    steps.add_parser("one_baseline", help="rates of false alarms given one baseline").set_defaults(run=_one_baseline)
    steps.add_parser("tables", help="put the results into the page").set_defaults(run=_tables)
    whole = steps.add_parser("all", help="every step, unattended")
    _add_data(whole)
    _add_run(whole)
    whole.add_argument("--peers-python", default="", help="interpreter of the environment of requirements/bench.txt")
    whole.set_defaults(run=_all)
    arguments = parser.parse_args()
    if arguments.quick:
        quick.main(Path("data/cifar10_sample"))
    elif arguments.step:
        arguments.run(arguments)
    else:
        parser.error("a step or --quick is needed")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=Path("data/cifar10"), help="folder of CIFAR-10 binary files")
    parser.add_argument("--dataset", choices=("full", "sample"), default="full", help="what the model was trained on")
    parser.add_argument("--model", type=Path, required=True, help="folder of a pushed version")
    parser.set_defaults(run=_data)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", action="append", choices=list(PARTS), help="default: all that need no other packages")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), help="only the units that run one of these")
    parser.add_argument("--trials", type=int, default=0, help="default: each part's own number")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--results", default="results.jsonl", help="file in the cache")
    parser.set_defaults(run=_run)


def _data(arguments: argparse.Namespace) -> None:
    data.fill(arguments.cache, arguments.data, arguments.dataset, arguments.model)


def _run(arguments: argparse.Namespace) -> None:
    _run_parts(arguments, arguments.part or HERE_PARTS)


def _run_parts(arguments: argparse.Namespace, parts: list[str]) -> None:
    for part in parts:
        runner.run_part(
            part,
            arguments.cache,
            arguments.cache / arguments.results,
            trials=arguments.trials,
            jobs=arguments.jobs,
            methods=arguments.methods or (),
        )


def _accuracy(arguments: argparse.Namespace) -> None:
    accuracy.run(arguments.cache, arguments.cache / "accuracy.jsonl")


def _one_baseline(arguments: argparse.Namespace) -> None:
    one_baseline.run(arguments.cache, arguments.cache / "one_baseline.jsonl")


def _tables(arguments: argparse.Namespace) -> None:
    tables.write(arguments.cache)


def _all(arguments: argparse.Namespace) -> None:
    _data(arguments)
    _run_parts(arguments, [part for part in HERE_PARTS if part not in LATE_PARTS])
    _accuracy(arguments)
    _one_baseline(arguments)
    _tables(arguments)
    if arguments.peers_python:
        parts = [word for part in IN_PEERS_ENVIRONMENT for word in ("--part", part)]
        options = ["--jobs", str(arguments.jobs), "--trials", str(arguments.trials), "--results", "peers.jsonl"]
        command = [arguments.peers_python, "-m", "benchmarks.detection", "--cache", str(arguments.cache), "run"]
        subprocess.run([*command, *parts, *options], check=True)
    _run_parts(arguments, list(LATE_PARTS))
    _tables(arguments)


if __name__ == "__main__":
    main()

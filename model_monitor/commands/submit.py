"""`model-monitor submit`: a compiled pipeline is run by Kubeflow Pipelines, once or by a schedule."""

import argparse
import datetime
from pathlib import Path

from rich.markup import escape

from components.common.bounded_files import read_bounded
from components.common.errors import MonitorError

from ..showing.lines import say
from ..submitting import specification
from ..submitting.kubeflow_api import HOST_VARIABLE, KubeflowApi, Submission
from ..submitting.schedules import cron_of
from ..terminal import make_console
from . import EXIT_FINE

DESCRIPTION = """Sends a pipeline that `model-monitor compile` wrote to Kubeflow Pipelines: for one run, or with
--schedule for a recurring one. Parameters are checked against the pipeline before anything is sent. Exit code: 0
submitted (not: succeeded), 1 error; nothing is submitted then."""
_MOST_TOKEN = 1 << 16  # bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", type=Path, metavar="FILE", help="the compiled pipeline, e.g. pipeline.yaml")
    parser.add_argument(
        "--host", default="", metavar="URL", help=f"address of Kubeflow Pipelines; default: of {HOST_VARIABLE}"
    )
    given = "a parameter of the pipeline, e.g. span=7; numbers, true, false, lists and objects in JSON"
    parser.add_argument("--param", action="append", default=[], metavar="KEY=VALUE", help=given)
    when = "e.g. '0 * * * *' for every hour: five fields of cron, six with seconds first, or @daily etc."
    parser.add_argument("--schedule", metavar="CRON", help=when)
    parser.add_argument("--replace", action="store_true", help="end recurring runs of the same name, once this is made")
    parser.add_argument("--name", default="", metavar="NAME", help="of the run; default: the pipeline's, and the time")
    parser.add_argument("--experiment", default="", metavar="NAME", help="to run it in; default: the pipeline's name")
    root = "where its artifacts go, e.g. s3://bucket/folder; default: as the cluster has it"
    parser.add_argument("--pipeline-root", default="", metavar="URI", help=root)
    parser.add_argument("--namespace", default="", metavar="NAME", help="yours, where the cluster serves several users")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file with what the server knows you by")


def run(options: argparse.Namespace) -> int:
    pipeline = specification.read(options.pipeline)
    parameters = pipeline.arguments(options.param)
    cron = cron_of(options.schedule) if options.schedule is not None else ""
    if options.replace and not cron:
        raise MonitorError("`--replace` must come with --schedule, whose recurring runs it ends. Received: none")
    now = "" if cron else f" {datetime.datetime.now():%Y-%m-%d %H:%M:%S}"
    submission = Submission(
        options.pipeline,
        parameters,
        name=options.name or f"{pipeline.name}{now}",
        experiment=options.experiment or pipeline.name,
        root=options.pipeline_root,
    )
    api = KubeflowApi(options.host, namespace=options.namespace, token=_token(options.token_file))
    if cron:
        _schedule(api, submission, cron, options.replace)
    else:
        say(make_console(), f"Submitted, the run {escape(submission.name)}:\n{escape(api.run(submission))}")
    _say_parameters(pipeline, parameters)
    return EXIT_FINE


def _schedule(api: KubeflowApi, submission: Submission, cron: str, replace: bool) -> None:
    page, replaced = api.schedule(submission, cron, replace=replace)
    console = make_console()
    say(console, f"Submitted, the recurring run {escape(submission.name)}:\n{escape(page)}")
    say(console, f"It begins at {cron!r} (seconds first, in the cluster's time zone), never twice at once.")
    if replaced:
        say(console, f"It replaces {escape(', '.join(replaced))}.")


def _say_parameters(pipeline: specification.Specification, given: dict[str, object]) -> None:
    told = ", ".join(f"{name}={value}" for name, value in given.items()) or "none"
    usual = ", ".join(sorted(set(pipeline.parameters) - set(given))) or "none"
    say(make_console(), f"Parameters given: {escape(told)}; by default: {escape(usual)}.")


def _token(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        token = read_bounded(file, _MOST_TOKEN).decode().strip()
    except (OSError, UnicodeError) as error:
        raise MonitorError(f"`--token-file` must be a readable file ({error})") from error
    if not token or not token.isprintable():
        raise MonitorError(f"`--token-file` must hold one line, the token. Received: another content of {file}")
    return token

"""`model-monitor incidents`: what is wrong with the served models, since when, and what people did about it."""

import argparse
import datetime
import re
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from components.common.errors import MonitorError, require

from ..alerts import texts
from ..alerts.delivery import opened
from ..alerts.outbox import FILE, Outbox
from ..alerts.sending import UndeliveredError
from ..alerts.settings import Channel
from ..alerts.telling import FOLDER
from ..incidents import actions
from ..incidents.actions import Action, What
from ..incidents.contexts import Contexts
from ..incidents.incident import Severity
from ..incidents.listing import Listed, find, listed
from ..incidents.settings import IncidentsConfig
from ..reading.history import History
from ..reading.run_store import open_store
from ..reading.store_server import is_server
from ..showing import incidents as showing
from ..showing.lines import say
from ..showing.outbox import outbox_record, show_outbox
from ..terminal import make_console
from ..watch.settings import WatchConfig, configuration, models
from ..worked_example import any_config
from . import EXIT_BLOCKED, EXIT_ERROR, EXIT_FINE
from .reasons import add_reason
from .storing import add_json, add_store, print_json, store_path

DESCRIPTION = """Lists the incidents of a store of ML Metadata, the newest first, each from the first window that is not
fine to the first that is fine again; shows one; acknowledges, mutes or marks it. Works for windows judged by `monitor`
and by `watch`. Exit code: 0, or with --exit-code 2 while an incident is open that nobody has acknowledged or muted."""

_ACTIONS = {
    "ack": What.ACKNOWLEDGED,
    "mute": What.MUTED,
    "unmute": What.UNMUTED,
    "real": What.REAL,
    "false-alarm": What.FALSE_ALARM,
}
_FOR_ALL = (What.MUTED, What.UNMUTED)
_TEST, _OUTBOX = "test-alert", "outbox"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        default="",
        metavar="ID|ack|mute|unmute|real|false-alarm|test-alert|outbox",
        help="an incident: the number of its first window, or model/number; or what to do with one; default: list them",
    )
    parser.add_argument(
        "incident", nargs="?", default="", metavar="ID", help="to do it with; of test-alert, the one channel"
    )
    parser.add_argument("--open", action="store_true", help="only those that are open")
    severities = [each.value for each in Severity]
    parser.add_argument("--severity", choices=severities, default=severities[0], help="only these and more urgent ones")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most N incidents; 0: all")
    parser.add_argument("--exit-code", action="store_true", help="2 while one of those listed needs a person, else 0")
    parser.add_argument("--all", action="store_true", help="mute or unmute every incident, also those to come")
    add_reason(parser, "; needed to do anything with an incident")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--for", dest="lasting", default="", metavar="TIME", help="how long, e.g. 30min, 2h, 3d")
    end.add_argument(
        "--until", default="", metavar="TIME", help="when it ends, e.g. 2026-12-01T08:00, this machine's time"
    )
    parser.add_argument("--model", default="", metavar="NAME", help="of several in the configuration, this one")
    add_store(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    require(options.limit >= 0, "--limit", "be 0 or more", options.limit)
    console = make_console()
    if options.what == _TEST:
        return _test(options, console)
    if options.what == _OUTBOX:
        return _show_outbox(options, console)
    if options.what in _ACTIONS:
        return _do(options, console)
    require(not options.incident, "ID", "be one incident", options.incident)
    known = _known(options)
    if options.what:
        return _show(find(known, options.what), options, console)
    return _list(known, options, console)


def _config(options: argparse.Namespace) -> WatchConfig | None:
    """The configuration of the model that is asked about; None where nothing is said of watching one."""
    config = any_config(options.config, options.set)
    if not isinstance(config, WatchConfig):
        return None
    chosen = [each for each in models(config) if options.model in ("", each.name)]
    require(len(chosen) == 1, "--model", f"be one of {', '.join(each.name for each in models(config))}", options.model)
    return chosen[0]


def _store(options: argparse.Namespace, what: str) -> Path:
    config = None if options.store else _config(options)
    return config.metadata_path if config else store_path(options, what)


def _known(options: argparse.Namespace) -> list[Listed]:
    config = _config(options)
    place = options.store if is_server(options.store) else _store(options, "read")
    history = History(open_store(place), options.pipeline)
    return listed(history, config.incidents if config else IncidentsConfig())


def _test(options: argparse.Namespace, console: Console) -> int:
    """Sends a message that says that it is a test, by each channel or by the one that is named."""
    config = configuration(options.config, options.set, {})
    (config,) = [each for each in models(config) if options.model in ("", each.name)][:1] or [config]
    names = [channel.name for channel in config.alerts.channels]
    require(bool(names), "alerts.channels", "name somebody to tell; --config FILE says where", names)
    require(options.incident in ("", *names), "CHANNEL", f"be one of {', '.join(names)}", options.incident)
    failed = False
    for channel in config.alerts.channels:
        if options.incident in ("", channel.name):
            told = _tested(channel, console)
            failed |= bool(told)
            say(console, f"{channel.name}: {escape(told) or '[green]delivered[/]'}")
    return EXIT_ERROR if failed else EXIT_FINE


def _tested(channel: Channel, console: Console) -> str:
    """Why the test could not be delivered; "" where it was."""
    now = time.time()
    try:
        opened(channel, console.file).send(
            texts.test_message(now), texts.idempotency_key("test", str(now)), lambda: None
        )
    except (UndeliveredError, MonitorError) as error:
        return str(error)
    return ""


def _show_outbox(options: argparse.Namespace, console: Console) -> int:
    """What became of messages: counts by channel, and the dead letters, the newest first."""
    folder = _store(options, "sent").parent / FOLDER
    require((folder / FILE).is_file(), "root", "be one under which somebody was told of incidents", str(folder.parent))
    outbox = Outbox(folder)
    counts, dead = outbox.counts(), outbox.dead()
    outbox.close()
    shown = dead[: options.limit or None]
    if options.json:
        print_json(console, {"format_version": showing.FORMAT_VERSION, **outbox_record(counts, shown)})
    else:
        show_outbox(counts, shown, len(dead) - len(shown), console)
    return EXIT_FINE


def _list(known: list[Listed], options: argparse.Namespace, console: Console) -> int:
    least = Severity(options.severity).rank
    chosen = [
        each for each in known if each.incident.severity.rank >= least and (each.incident.open or not options.open)
    ]
    shown = chosen[: options.limit or None]
    if options.json:
        records = [showing.incident_record(each) for each in shown]
        print_json(console, {"format_version": showing.FORMAT_VERSION, "incidents": records, "total": len(chosen)})
    elif shown:
        showing.show_list(shown, len(chosen) - len(shown), console)
    else:
        console.print("There is no such incident." if known else "There is no incident.")
    return _code(chosen, options)


def _show(chosen: Listed, options: argparse.Namespace, console: Console) -> int:
    if options.json:
        print_json(console, {"format_version": showing.FORMAT_VERSION, **showing.incident_record(chosen)})
    else:
        showing.show(chosen, console)
    return _code([chosen], options)


def _code(chosen: list[Listed], options: argparse.Namespace) -> int:
    needed = any(each.incident.open and not each.standing.any for each in chosen)
    return EXIT_BLOCKED if options.exit_code and needed else EXIT_FINE


def _do(options: argparse.Namespace, console: Console) -> int:
    """Acknowledges, mutes, unmutes or marks."""
    what = _ACTIONS[options.what]
    rule = "be given, or --all" if what in _FOR_ALL else "be given, and not --all"
    alone = bool(options.incident) != options.all and (what in _FOR_ALL or not options.all)
    require(alone, "ID", rule, options.incident)
    now = time.time()
    until = _end(options, now)
    require(what is not What.MUTED or until is not None, "--for", "be given, or --until: a mute has an end", "")
    stays = what is What.UNMUTED or what.is_mark
    require(not stays or until is None, "--for", f"not be given: what is {what.value} stays so", options.lasting)
    name = "" if options.all else find(_known(options), options.incident).key
    action = Action(what, name, options.because, options.by, now, until)
    actions.record(Contexts(_store(options, "noted")), action)
    if options.json:
        print_json(console, {"format_version": showing.FORMAT_VERSION, "done": showing.action_record(action)})
    else:
        say(console, escape(f"{options.incident or 'All incidents'}: {showing.action_words(action)}"))
    return EXIT_FINE


def _end(options: argparse.Namespace, now: float) -> float | None:
    """When what is done ends, in seconds since the epoch; None where nothing is said."""
    if options.lasting:
        found = _DURATION.fullmatch(options.lasting.strip())
        require(found is not None, "--for", "be a number and s, min, h or d, e.g. 2h", options.lasting)
        return now + float(found[1]) * _SECONDS[found[2]] if found else None
    if not options.until:
        return None
    try:
        until = datetime.datetime.fromisoformat(options.until).timestamp()
    except ValueError as error:
        rule = "be a time such as 2026-12-01T08:00"
        raise MonitorError(f"`--until` must {rule}. Received: {options.until!r}") from error
    require(until > now, "--until", "lie ahead", options.until)
    return until

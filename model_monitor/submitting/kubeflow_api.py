"""Kubeflow Pipelines' API, asked through its own client: a run, or a recurring one, of a compiled pipeline."""

import contextlib
import io
import json
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.common.errors import MonitorError, require
from components.common.strict_text import TextError, parse_json

from ..extras import imported

if TYPE_CHECKING:
    from kfp import Client

HOST_VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp's own
_TIMEOUT = 30.0  # seconds, of the first question; a server that answers it answers the others
_OBJECT = re.compile(r"<[\w.]+ object at 0x\w+>: ")
_MOST_SAID = 600  # characters of an answer, for messages
_REFUSED = (401, 403)


@dataclass(frozen=True)
class Submission:
    """What is submitted, the same for a run and for a recurring one."""

    file: Path
    parameters: Mapping[str, Any]
    name: str
    experiment: str
    root: str = ""  # where the run's artifacts go; empty: as the cluster has it


class KubeflowApi:
    """The API at one address. What is asked of it raises `MonitorError` in one sentence where the answer is no."""

    def __init__(self, host: str, *, namespace: str = "", token: str = "") -> None:
        """Asks the server whether it is there.

        Args:
          host: its address, such as http://localhost:8080.
          namespace: the user's namespace, where the cluster serves many; else empty.
          token: what the server knows the user by, where it asks; else empty: what kfp's own settings say.

        Raises:
          MonitorError: the address is none, nobody answers there, it is not Kubeflow Pipelines', or it refuses.

        """
        self._host = _address(host)
        self._namespace = namespace
        with self._asking("the question whether it is there"):
            given = {"namespace": namespace} if namespace else {}
            self._client: Client = _client_class()(self._host, existing_token=token or None, **given)
            health = self._client.get_kfp_healthz()
        many = getattr(health, "multi_user", False) is True
        if many and not (namespace or self._client.get_user_namespace()):
            raise MonitorError(f"`--namespace` must be yours: {self._host} serves several users. Received: none")

    def run(self, submission: Submission) -> str:
        """Starts a run; gives the address of its page."""
        with self._asking("the run"):
            made = self._client.create_run_from_pipeline_package(
                str(submission.file),
                arguments=dict(submission.parameters),
                run_name=submission.name,
                experiment_name=submission.experiment,
                namespace=self._namespace or None,
                pipeline_root=submission.root or None,
            )
        return f"{self._host}/#/runs/details/{made.run_id}"

    def schedule(self, submission: Submission, cron: str, *, replace: bool = False) -> tuple[str, list[str]]:
        """Makes a recurring run, one at a time; times that were missed are not caught up with.

        Args:
          submission: what is run.
          cron: when, as Kubeflow Pipelines reads it (`schedules.cron_of`).
          replace: whether recurring runs of the same name in the experiment end, once the new one is made.

        Returns:
          The address of its page, and the ids of those that it replaced.

        Raises:
          MonitorError: there is one of that name already and `replace` is false; nothing is made then.

        """
        with self._asking("the recurring run"):
            experiment = self._client.create_experiment(submission.experiment, namespace=self._namespace or None)
            before = self._recurring(experiment.experiment_id, submission.name)
            if before and not replace:
                raise MonitorError(
                    f"{submission.experiment} has a recurring run {submission.name!r} already ({', '.join(before)}): "
                    "give --replace to end it, or another --name"
                )
            made = self._client.create_recurring_run(
                experiment.experiment_id,
                submission.name,
                cron_expression=cron,
                max_concurrency=1,
                no_catchup=True,
                params=dict(submission.parameters),
                pipeline_package_path=str(submission.file),
                pipeline_root=submission.root or None,
            )
            for identifier in before:
                self._client.delete_recurring_run(identifier)
        return f"{self._host}/#/recurringrun/details/{made.recurring_run_id}", before

    def _recurring(self, experiment: str, name: str) -> list[str]:
        """The ids of an experiment's recurring runs of a name."""
        predicates = [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]
        wanted = json.dumps({"predicates": predicates})
        page = self._client.list_recurring_runs(experiment_id=experiment, page_size=100, filter=wanted)
        return [each.recurring_run_id for each in page.recurring_runs or ()]

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Turns what kfp's client raises into one sentence, and keeps what it prints to itself."""
        with _quiet():
            api = imported("kfp_server_api", "submit", extra="kfp")
            errors = imported("urllib3.exceptions", "submit", extra="kfp")
            proto = imported("google.protobuf.json_format", "submit", extra="kfp")
        try:
            with _quiet():
                yield
        except api.ApiException as error:
            raise self._refusal(what, error.status, error.reason, error.body) from error
        except (errors.HTTPError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise MonitorError(f"Kubeflow Pipelines cannot be reached at {self._host}: {_said(str(reason))}") from error
        except MonitorError:
            raise
        except (ValueError, TypeError, proto.Error) as error:  # kfp's own, of what it was given or was answered
            raise MonitorError(f"kfp cannot ask {self._host} for {what}: {_said(str(error))}") from error

    def _refusal(self, what: str, status: int | None, reason: Any, body: Any) -> MonitorError:
        if status in _REFUSED:
            hint = "give a token by --token-file, or log in as kfp's own settings have it"
            return MonitorError(f"{self._host} refuses whom it does not know (HTTP {status}): {hint}")
        message = _message(body)
        if not message:
            told = f"HTTP {status}" if status else _said(str(reason))
            return MonitorError(f"{self._host} does not answer as Kubeflow Pipelines 2 does ({told})")
        return MonitorError(f"Kubeflow Pipelines at {self._host} refuses {what}: {_said(message)}")


def _address(host: str) -> str:
    address = host or os.environ.get(HOST_VARIABLE, "")
    rule = f"be the address of Kubeflow Pipelines, such as http://localhost:8080 (or set {HOST_VARIABLE})"
    try:
        parts = urlsplit(address)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    require(plain, "--host", rule, host or address)
    return address.rstrip("/")


def _client_class() -> Any:
    """The client, whose first question has a limit of time and is asked once; by itself it asks five times."""
    base: Any = imported("kfp", "submit", extra="kfp").Client

    class Client(base):
        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
            api = self._healthz_api  # whose method kfp 2.16 has under another name
            ask = getattr(api, "healthz_service_get_healthz", None) or api.get_healthz
            return ask(_request_timeout=_TIMEOUT)

    return Client


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what kfp prints and warns of itself, and without what urllib3 logs each time that it tries again."""
    logger = logging.getLogger("urllib3.connectionpool")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _message(body: Any) -> str:
    """What the API says of an error; nothing where the body is not the API's."""
    try:
        content = parse_json(body or "")
    except TextError:
        return ""
    content = content if isinstance(content, dict) else {}
    return str(content.get("message") or content.get("error") or "")


def _said(text: str) -> str:
    """An answer on one line, without the objects of urllib3 in it, and not longer than a reader reads."""
    line = " ".join(_OBJECT.sub("", text).split())
    return line if len(line) <= _MOST_SAID else f"{line[:_MOST_SAID]} ..."

"""A Python worker of Beam as a process: what a Flink or Spark worker starts with `--environment_type=PROCESS`.

Beam has such a program only inside its container images. Where the machines of a cluster have this project's
environment anyway, `--environment_config` names a script on them that runs

    exec /path/to/.venv/bin/python -m pipelines.runners.beam_worker "$@"
"""

from .worker_start import work  # before Beam is imported

# isort: split

import argparse
import os
from collections.abc import Sequence
from typing import Any

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from google.protobuf import json_format, text_format

_SECONDS = 60  # for the runner to say what it wants


def main(arguments: Sequence[str] = ()) -> None:
    """Asks the runner what is to be run, and runs it until the runner has no more work."""
    parser = argparse.ArgumentParser(prog="beam_worker", allow_abbrev=False)
    parser.add_argument("--id", required=True, help="what the runner calls this worker")
    parser.add_argument(
        "--provision_endpoint", required=True, help="HOST:PORT at which the runner says what is to be run"
    )
    told, _ = parser.parse_known_args(list(arguments) or None)
    os.environ |= environment_of(told.id, provisioned(told.id, told.provision_endpoint))
    work()


def provisioned(identity: str, endpoint: str) -> Any:
    """What the runner at `endpoint` wants of the worker, Beam's `ProvisionInfo`."""
    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        return stub.GetProvisionInfo(request, metadata=[("worker_id", identity)], timeout=_SECONDS).info


def environment_of(identity: str, info: Any) -> dict[str, str]:
    """The variables by which Beam's worker is told so."""
    return {
        "WORKER_ID": identity,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "LOGGING_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.logging_endpoint),
        "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.control_endpoint),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }


if __name__ == "__main__":
    main()

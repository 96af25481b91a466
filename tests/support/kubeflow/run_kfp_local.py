"""Runs one compiled pipeline by kfp.local, each step in a container of Docker's: Kubeflow's code, without a cluster.

    build/kfp-local/bin/python run_kfp_local.py PIPELINE.yaml STORE [--parameters JSON] [--mount HOST:PATH] ...

Containers see the folder STORE, where artifacts are, and what is mounted besides; of the machine they see nothing else.
In an environment of its own (requirements/kfp-local.txt): imports nothing of the project.
"""

import argparse
import json
import os
import warnings
from pathlib import Path

from docker.types import Mount

warnings.simplefilter("ignore")

from kfp import components, local  # noqa: E402 - warns of its own settings


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--parameters", type=json.loads, default={})
    parser.add_argument("--mount", action="append", default=[], metavar="HOST:PATH")
    parser.add_argument("--network", default="none")
    parser.add_argument("--environment", type=json.loads, default={})
    options = parser.parse_args()
    mounts = [
        Mount(target, source, type="bind") for source, _, target in (each.partition(":") for each in options.mount)
    ]
    user = {} if os.geteuid() == 0 else {"user": f"{os.geteuid()}:{os.getegid()}"}  # root gives the folder away instead
    local.init(
        local.DockerRunner(mounts=mounts, network_mode=options.network, environment=options.environment, **user),
        pipeline_root=str(options.store),
        raise_on_error=True,
    )
    pipeline = components.load_component_from_file(str(options.pipeline))
    pipeline(**options.parameters)


if __name__ == "__main__":
    main()

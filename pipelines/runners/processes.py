"""Beam's runner of one machine with workers that are processes, and start in half of the time of Beam's own."""

import shlex
import sys
from typing import Any

from apache_beam.portability import python_urns
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

_WORKER = shlex.join([sys.executable, "-m", "pipelines.runners.process_worker"])


class ProcessRunner(FnApiRunner):
    """Runs a pipeline as `--direct_running_mode=multi_processing` says, in `--direct_num_workers` processes."""

    def run_via_runner_api(self, pipeline_proto: Any, options: Any) -> Any:
        """Runs a pipeline, its workers started by `process_worker`."""
        for environment in pipeline_proto.components.environments.values():
            if environment.urn == python_urns.SUBPROCESS_SDK:
                environment.payload = _WORKER.encode()
        return super().run_via_runner_api(pipeline_proto, options)

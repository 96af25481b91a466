"""A Python worker of Beam as a process that `ProcessRunner` starts; the environment says what Beam's own is told by it.

Beam imports the clients of Google's services, which take as long as all else that it imports, and where notebooks are
installed bring IPython. They are there when something of theirs is used, such as a file in `gs://`.
"""

import sys

from components.common.lazy_packages import import_later

for _name in ("bigquery", "bigquery_storage_v1", "pubsub", "storage"):
    import_later(f"google.cloud.{_name}", bare=True)

# isort: split

from apache_beam.runners.worker import sdk_worker_main  # noqa: E402 - behind what puts off the clients

if __name__ == "__main__":
    sdk_worker_main.main(sys.argv)

"""How Python workers of Beam that are processes start and end, whoever starts them. It is imported before Beam is.

Beam imports the clients of Google's services, which take as long as all else that it imports, and where notebooks are
installed bring IPython; those of S3 and HDFS, too. They are there when something of theirs is used, such as a file in
`gs://`. And what is imported stays: looking through it for garbage while it is imported, and taking it apart at the
end, took as long as half of the imports each.
"""

import gc

gc.disable()  # until all is imported

# isort: split

import atexit  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

from components.common.lazy_packages import import_later  # noqa: E402

for _name in ("api_core", "cloud.bigquery", "cloud.bigquery_storage_v1", "cloud.pubsub", "cloud.storage"):
    import_later(f"google.{_name}", bare=True)  # the first looks through all that is installed, for a warning
for _name in ("boto3", "hdfs"):
    import_later(_name)

# isort: split

from apache_beam.runners.worker import sdk_worker_main  # noqa: E402 - behind what puts off the clients

_COLLECT_AFTER = 100_000  # new objects: functions import what they need, too. What gets older is looked through as ever


def work() -> None:
    """Works until the runner has no more work, and ends the process without taking down what has been imported.

    Functions have been torn down by then, what they gave has arrived at the runner, and log records have been sent.
    What was to be done at the end of the process, such as removing temporary folders, is. Where working fails the
    process ends as any other does.
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])
    gc.enable()
    sdk_worker_main.main(sys.argv)
    atexit._run_exitfuncs()  # those of `logging` among them
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)

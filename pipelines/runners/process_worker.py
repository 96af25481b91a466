"""A Python worker of Beam as a process that `ProcessRunner` starts, which tells it by the environment what to do."""

from .worker_start import work

if __name__ == "__main__":
    work()

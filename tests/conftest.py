"""Hypothesis draws the same examples every time and takes as long as it takes: no test depends on luck or timing."""

import os

from absl import flags
from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings would hide what failed
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# TensorFlow's flags read pytest's own arguments the first time one of them is asked for, and refuse `-v` and the like.
flags.FLAGS(["pytest"])

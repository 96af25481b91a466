"""Hypothesis draws the same examples every time and takes as long as it takes: no test depends on luck or timing."""

import os

from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings would hide what failed
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

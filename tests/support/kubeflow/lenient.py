"""A training of the worked example that takes seconds, and a policy to which what it has learnt is good enough."""

import shutil
from pathlib import Path

from pipelines.cifar10.config import SCHEMA_DIR

TINY = ("trainer.model=tiny_cnn", "trainer.batch_size=64", "trainer.epochs=1", "cache=false")
_THRESHOLDS = {"{ value: 0.50 }": "{ value: 0.0 }", "{ value: 0.25 }": "{ value: 0.0 }", "value: 1.5 }": "value: 99 }",
               "value: 0.20 }": "value: 1.0 }"}  # fmt: skip


def policy(folder: Path) -> Path:
    """Writes the worked example's policy into a folder that is not there yet, with thresholds that any model passes."""
    shutil.copytree(SCHEMA_DIR, folder)
    thresholds = folder / "eval_config.pbtxt"
    text = thresholds.read_text(encoding="utf-8")
    for strict, lenient in _THRESHOLDS.items():
        text = text.replace(strict, lenient)
    thresholds.write_text(text, encoding="utf-8")
    return folder

"""Settings of every kind, cut, flipped and filled with what no one expects: read, or refused with a sentence."""

import random
import re
from pathlib import Path

import pytest

from components.common.baseline_bundle import Manifest
from components.common.errors import MonitorError
from components.common.model_spec import ModelSpec
from components.push_gate.policy import parse_policy
from pipelines import config
from pipelines.cifar10.config import Cifar10Config
from pipelines.config import AdoptionConfig, MonitoringConfig
from tests.support.pushed_version import MANIFEST

pytestmark = pytest.mark.long

CIFAR10 = Path(__file__).resolve().parents[2] / "schemas" / "cifar10"
TRAINING = """dataset: sample
name: a-name
root: runs
serving_logs: logs
cache: true
beam_args: [--a, --b]
trainer: {model: tiny_cnn, epochs: 3, learning_rate: 0.1, seed: 7}
monitor: {false_alarm_rate: 0.01, window_size: 1000, permutations: 1999, one_example_per: image}
"""
VALUES = (
    "2024-01-31",
    "2024-01-31T10:00:00Z",
    "!!set {a, b}",
    "!!binary aGVsbG8=",
    "!!omap [a: 1]",
    "!!int x",
    "!!bool x",
    "=",
    "&x [*x]",
    "&x {a: *x}",
    "9" * 5_000,
    "-" + "9" * 41,
    "1e999",
    "-1e999",
    ".nan",
    ".inf",
    "0",
    "-1",
    "1e-320",
    "[" * 200,
    "{a: " * 120,
    "[]",
    "{}",
    "[[]]",
    "null",
    "~",
    "true",
    "yes",
    "''",
    "' '",
    '"\\0"',
    '"\\ud800"',
    '"\\u202e"',
    "*nothing",
    "<<",
    "1:30:00",
    "0x1f",
    "0b1",
    "1_000",
    "? a",
    "|",
    "!!python/name:os.system",
    "!x y",
    "[a, b, c]",
    "'[*?'",
    "é\u0301",
    '"' + "x" * 100_000 + '"',
    "{1: 2}",
    "{null: 2}",
    "{[a]: 2}",
    "{a: 1, a: 2}",
)
TYPES = ("SCHEMA_NEW_COLUMN", "COMPARATOR_L_INFTY_HIGH", "DATASET_LOW_NUM_EXAMPLES")


def test_hostile_settings_are_read_or_refused_with_a_sentence(tmp_path, tries, report):
    draw = random.Random(11)  # noqa: S311 - the same attack every time
    file = tmp_path / "settings.yaml"
    readers = {
        "training": (TRAINING, lambda: config.load(Cifar10Config, file)),
        "monitoring": (TRAINING, lambda: config.load(MonitoringConfig, file)),
        "adoption": (TRAINING, lambda: config.load(AdoptionConfig, file)),
        "spec": ((CIFAR10 / "model_spec.yaml").read_text(), lambda: ModelSpec.load(file)),
        "policy": ((CIFAR10 / "push_policy.yaml").read_text(), lambda: parse_policy(said(file), TYPES)),
        "manifest": (MANIFEST.to_json(), lambda: Manifest.from_json(said(file), str(file))),
    }
    tried = held = refused = longest = 0
    for _ in range(tries(50, 1_000)):
        for name, (text, read) in readers.items():
            content = damaged(text, draw)
            file.write_bytes(content)
            tried += 1
            try:
                read()
            except MonitorError as error:
                refused += 1
                longest = max(longest, len(str(error)))
            except Exception as error:
                raise AssertionError(f"{name}: {content[:500]!r}") from error
            held += 1
    assert longest < 20_000
    assert refused > tried / 2  # most of it is nothing that could be read
    report("hostile settings, specs, policies and manifests", tried, held)


def said(file: Path) -> str:
    return file.read_bytes().decode(errors="replace")


def damaged(text: str, draw: random.Random) -> bytes:
    """A text with another value in the place of one, cut off, with bits flipped, or repeated."""
    kind = draw.randrange(6)
    content = text.encode()
    if kind == 0:
        return content[: draw.randrange(len(content))]
    if kind == 1:
        changed = bytearray(content)
        for _ in range(draw.choice((1, 3, 20))):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        return bytes(changed)
    value = draw.choice(VALUES)
    if kind == 2:
        return content + f"\n{draw.choice(('name', 'classes', 'canary', 'x'))}: {value}\n".encode()
    places = list(re.finditer(r"(?<=: )[^\s,{}\[\]#][^,{}\[\]\n#]*", text))
    place = draw.choice(places)
    return (text[: place.start()] + value + text[place.end() :]).encode(errors="surrogatepass")

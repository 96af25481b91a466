"""The model and the examples that the gate asks it about, damaged; and askers that are killed at any time.

A damaged model is loaded where the gate loads it, in a process of its own: some end that, and none ends the gate.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from components.common.artifacts.files import Artifact, local_files
from components.common.verdict import Outcome
from components.push_gate.model_check import judge_model, judge_signature
from components.push_gate.policy import CanaryPolicy
from components.served_model.saved_model import SavedModel
from tests.support import foreign_data
from tests.support.gate import Classifier, save
from tests.support.model_specs import digits_spec

pytestmark = pytest.mark.long

POLICY = CanaryPolicy(num_classes=4, timeout=20, batch_sizes=[1])


def damage(path: Path, rng: np.random.Generator) -> None:
    """Cuts a file, or flips a bit of it."""
    content = bytearray(path.read_bytes())
    if rng.random() < 0.3:
        path.write_bytes(content[: rng.integers(len(content))])
    else:
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)


def test_damaged_models(tmp_path, tries, report):
    """Of a model whose scores add up to 2, which is not blessed whatever else is wrong with it."""
    rng = np.random.default_rng(0)
    made = save(Classifier(scale=2.0), tmp_path / "model")
    files = sorted(path for path in Path(made.uri).rglob("*") if path.is_file() and path.stat().st_size)
    tried = held = 0
    for _ in range(tries(1, 60)):
        copy = tmp_path / "copy"
        shutil.copytree(made.uri, copy)
        damage(copy / rng.choice(files).relative_to(made.uri), rng)
        check = judge_model(Artifact(str(copy)), [], POLICY, None, local_files())
        tried, held = tried + 1, held + (not check.passed)
        shutil.rmtree(copy)
    report("gate, damaged models", tried, held)


@pytest.fixture(scope="module")
def broken_model(tmp_path_factory):
    """A model of digits whose answers are no number, and a spec of it."""
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.Input((28, 28, 1), name="input_image"), keras.layers.Flatten()]
    network = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax", name="dense_1")])
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel * np.nan, bias])
    folder = str(tmp_path_factory.mktemp("digits") / "model")
    network.export(folder, verbose=False)
    spec = digits_spec(outputs={"scores": "output_0"}, image={"input": "input_image"})
    return SavedModel(folder).signature("serving_default"), spec


def test_damaged_examples(tmp_path, tries, report, broken_model):
    signature, spec = broken_model
    examples = Artifact(str(tmp_path / "examples"), properties={"split_names": '["eval"]'})
    path = Path(examples.uri, "Split-eval", "data.gz")
    names = {"image": "image/encoded", "label": "image/class/label", "id": "image/id"}
    foreign_data.write_examples(path, foreign_data.digits().part(0, 2), names, "PNG")
    content, rng = path.read_bytes(), np.random.default_rng(0)
    policy = CanaryPolicy(num_classes=10, batch_sizes=[1], probabilities="output_0", class_id=None)
    cuts = rng.choice(len(content), tries(20, len(content)), replace=False)
    flips = rng.choice(8 * len(content), tries(20, min(20_000, 8 * len(content))), replace=False)
    held = 0
    for cut in cuts:
        path.write_bytes(content[:cut])
        held += judge_signature(signature, [examples], policy, spec, local_files()).outcome is not Outcome.PASSED
    for bit in flips:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(flipped)
        held += judge_signature(signature, [examples], policy, spec, local_files()).outcome is not Outcome.PASSED
    report("gate, damaged examples", len(cuts) + len(flips), held)


def test_askers_that_are_killed_leave_no_process(tmp_path, tries, report):
    """At any time from the start of the process to the middle of an answer that never ends."""
    from tests.support import hostile_models

    folder = hostile_models.save(hostile_models.Loops, tmp_path / "model")
    code = (
        "import numpy as np; from components.served_model.model_process import *\n"
        f"with ModelProcess({folder!r}, Bounds(600, 3000)) as process:\n"
        "    process.ask('serving_default', {'x': np.ones((1, 2), 'f4')})"
    )
    rng = np.random.default_rng(0)
    number = tries(1, 40)
    gone = 0
    for _ in range(number):
        asker = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
        time.sleep(rng.uniform(0, 6))
        answerers = _children(asker.pid)
        asker.kill()
        asker.wait()
        ends = time.monotonic() + 10
        while any(map(_runs, answerers)) and time.monotonic() < ends:
            time.sleep(0.05)
        gone += not any(map(_runs, answerers))
    report("gate, askers killed", number, gone)


def _children(parent: int) -> list[int]:
    told = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid, of in map(str.split, told.splitlines()) if int(of) == parent]


def _runs(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}/exe")  # not of a zombie, which waits for whoever adopted it

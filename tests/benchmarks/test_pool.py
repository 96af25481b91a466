import gzip
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection.pool import held_out, trainer_settings
from components.common.errors import MonitorError
from pipelines.cifar10.training_data import LabelledImages, _sorted_by_content, hold_out

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "cifar10_sample"


def _records(path):
    records = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8).reshape(-1, 3073)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return LabelledImages(np.ascontiguousarray(images), records[:, 0].astype(np.int64))


def test_the_pool_is_what_the_trainer_holds_out_and_the_test_images():
    settings = trainer_settings("sample")
    training = _sorted_by_content(_records(SAMPLE / "data_batch_1.bin.gz"))
    learnt, validation = hold_out(training, settings.validation_fraction, settings.seed)
    test = _records(SAMPLE / "test_batch.bin.gz")
    pool = held_out(SAMPLE, settings)
    wanted = {*map(bytes, validation.images), *map(bytes, test.images)}
    assert {bytes(image) for image in pool.images} == wanted
    assert not wanted & {bytes(image) for image in learnt.images}
    assert len(pool.labels) == len(validation) + len(test)


def test_labels_stay_with_their_images():
    test = _records(SAMPLE / "test_batch.bin.gz")
    wanted = {bytes(image): label for image, label in zip(test.images, test.labels, strict=True)}
    pool = held_out(SAMPLE, trainer_settings("sample"))
    found = [wanted[bytes(i)] == label for i, label in zip(pool.images, pool.labels, strict=True) if bytes(i) in wanted]
    assert len(found) >= len(test)
    assert all(found)


def test_a_folder_without_the_files_is_an_error(tmp_path):
    with pytest.raises(MonitorError, match=r"data_batch"):
        held_out(tmp_path, trainer_settings("full"))

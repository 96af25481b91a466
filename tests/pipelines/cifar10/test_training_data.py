import gzip
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.common.errors import MonitorError
from pipelines.cifar10.training_data import (
    LabelledImages,
    augmented,
    files_of,
    hold_out,
    read,
    training_batches,
    validation_batches,
)

SAMPLE = Path(__file__).parents[3] / "data" / "cifar10_sample" / "data_batch_1.bin.gz"
SHAPE = (32, 32, 3)


@pytest.fixture(scope="module")
def sample():
    records = np.frombuffer(gzip.decompress(SAMPLE.read_bytes()), np.uint8).reshape(-1, 3073)[:200]
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return LabelledImages(np.ascontiguousarray(images), records[:, 0].astype(np.int64))


def write(path, examples):
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else "") as writer:
        for features in examples:
            example = tf.train.Example()
            for name, value in features.items():
                kind = example.features.feature[name]
                (kind.bytes_list if isinstance(value, bytes) else kind.int64_list).value.append(value)
            writer.write(example.SerializeToString())


def rows(data):
    return [{"image": i.tobytes(), "label": int(label)} for i, label in zip(data.images, data.labels, strict=True)]


def test_reads_all_files_in_an_order_that_does_not_depend_on_them(sample, tmp_path):
    examples = rows(sample)
    write(tmp_path / "a-0.gz", examples[:150])
    write(tmp_path / "a-1", examples[150:])
    write(tmp_path / "b-0.gz", examples[::-1])
    two, one = (read(files_of([str(tmp_path / pattern)]), SHAPE, 10) for pattern in ("a-*", "b-*"))
    np.testing.assert_array_equal(two.images, one.images)
    np.testing.assert_array_equal(two.labels, one.labels)
    assert sorted((r["image"], r["label"]) for r in rows(one)) == sorted((r["image"], r["label"]) for r in examples)
    assert two.images.dtype == np.uint8
    assert two.labels.dtype == np.int64


IMAGE = bytes(3072)


@pytest.mark.parametrize(
    ("examples", "expected_error"),
    [
        ([], "`examples` must hold at least one example"),
        ([{"image": IMAGE[:-1], "label": 0}], r"`image in .*data.gz` must be 3072 bytes. Received: \[3071\]"),
        ([{"image": IMAGE, "label": 10}], r"`label` must be 0 to 9 in .*data.gz. Received: \[10\]"),
        ([{"image": IMAGE, "label": -1}], r"`label` must be 0 to 9 in .*data.gz. Received: \[-1\]"),
        ([{"image": IMAGE}], "data.gz must hold tf.Examples with `image` and `label`: .*label"),
        ([{"label": 1}], "data.gz must hold tf.Examples with `image` and `label`: .*image"),
        ([{"image": 3, "label": 1}], "data.gz must hold tf.Examples with `image` and `label`"),
    ],
)
def test_refuses_examples_that_break_a_rule(tmp_path, examples, expected_error):
    write(tmp_path / "data.gz", examples)
    with pytest.raises(MonitorError, match=expected_error):
        read(files_of([str(tmp_path / "*")]), SHAPE, 10)


def test_refuses_missing_and_damaged_files(tmp_path):
    with pytest.raises(MonitorError, match=r"`train_files` must match at least one file. Received: .*nothing"):
        files_of([str(tmp_path / "nothing*")])
    write(tmp_path / "cut", [{"image": IMAGE, "label": 1}])
    (tmp_path / "cut").write_bytes((tmp_path / "cut").read_bytes()[:-9])
    with pytest.raises(MonitorError, match=r"cut must hold tf.Examples"):
        read([str(tmp_path / "cut")], SHAPE, 10)


def test_hold_out_divides_the_data_by_seed(sample):
    training, validation = hold_out(sample, 0.1, seed=1)
    assert (len(training), len(validation)) == (180, 20)
    both = [r["image"] for r in rows(training) + rows(validation)]
    assert sorted(both) == sorted(r["image"] for r in rows(sample))
    again, other = hold_out(sample, 0.1, seed=1)[1], hold_out(sample, 0.1, seed=2)[1]
    np.testing.assert_array_equal(validation.images, again.images)
    assert not np.array_equal(validation.images, other.images)


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_hold_out_refuses_an_empty_part(sample, fraction):
    with pytest.raises(MonitorError, match=r"`trainer.validation_fraction` must leave at least one of 200"):
        hold_out(sample, fraction, seed=0)


def epochs(sample, seed, count=2, batch_size=64, augment=True):
    data = training_batches(sample, batch_size=batch_size, classes=10, seed=seed, augment=augment)
    return [[(x.numpy(), y.numpy()) for x, y in data] for _ in range(count)]


def test_training_batches_follow_from_the_seed(sample):
    first, again, other = epochs(sample, 5), epochs(sample, 5), epochs(sample, 6)
    for epoch, same in zip(first, again, strict=True):
        for (x, y), (same_x, same_y) in zip(epoch, same, strict=True):
            np.testing.assert_array_equal(x, same_x)
            np.testing.assert_array_equal(y, same_y)
    assert not np.array_equal(first[0][0][0], other[0][0][0])
    assert not np.array_equal(first[0][0][1], first[1][0][1]), "the second epoch has the order of the first"


def test_training_batches_pair_images_with_their_labels(sample):
    label_of = {r["image"]: r["label"] for r in rows(sample)}
    ((*batches,),) = epochs(sample, 0, count=1, augment=False)
    assert [x.shape for x, _ in batches] == [(64, *SHAPE)] * 3  # 8 of 200 are left out
    seen = [image.tobytes() for x, _ in batches for image in x]
    assert len(set(seen)) == 192
    assert [label_of[image] for image in seen] == [int(row.argmax()) for _, y in batches for row in y]
    assert all((y.sum(axis=1) == 1).all() for _, y in batches)


def test_fewer_images_than_a_batch_are_one_batch(sample):
    (batches,) = epochs(sample.take(np.arange(5)), 0, count=1)
    assert [len(x) for x, _ in batches] == [5]


def test_validation_batches_hold_everything_once(sample):
    batches = list(validation_batches(sample, classes=10, batch_size=90))
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), sample.images)
    np.testing.assert_array_equal(np.concatenate([np.argmax(y, axis=1) for _, y in batches]), sample.labels)


def variants(image):
    """Every picture that mirroring and moving by up to two pixels can make of `image`, made slowly."""
    for mirrored in (image, image[:, ::-1]):
        wide = np.pad(mirrored, ((2, 2), (2, 2), (0, 0)), mode="symmetric")
        for down in range(5):
            for right in range(5):
                yield wide[down : down + 32, right : right + 32].tobytes()


def test_augmentation_mirrors_and_moves_and_nothing_else(sample):
    images = sample.images[:100]
    result = augmented(tf.constant(images), tf.constant([3, 4], tf.int64)).numpy()
    assert result.dtype == np.uint8
    chosen = [list(variants(image)).index(new.tobytes()) for image, new in zip(images, result, strict=True)]
    assert 35 <= sum(index >= 25 for index in chosen) <= 65, "about half of the images are mirrored"
    assert len({index % 25 for index in chosen}) > 20, "images are moved by all distances"

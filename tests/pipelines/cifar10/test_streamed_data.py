"""A split that is not held: the same examples as one that is, in batches of an order drawn anew in every epoch."""

import numpy as np
import pytest
import tensorflow as tf

from components.common.errors import MonitorError
from pipelines.cifar10 import streamed_data, training_data
from pipelines.cifar10.streamed_data import StreamedSplit, training_split
from pipelines.cifar10.training_data import HeldSplit

COUNT = 1_700
SHAPE = (4, 4, 3)


def example(number: int, label: int | None = None, size: int = 48) -> bytes:
    made = tf.train.Example()
    image = np.random.default_rng(number).integers(0, 256, size, np.uint8).tobytes()
    made.features.feature["image"].bytes_list.value.append(image)
    made.features.feature["label"].int64_list.value.append(number % 10 if label is None else label)
    return made.SerializeToString()


def write(path, records):
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else "") as writer:
        for record in records:
            writer.write(record)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    for part in range(10):
        name = f"data-{part}.gz" if part % 2 else f"data-{part}"
        write(folder / name, [example(number) for number in range(part, COUNT, 10)])
    return str(folder / "*")


@pytest.fixture
def load(monkeypatch):
    def loaded(pattern, *, held_out=0.1, seed=3, most=1_000, some=200):
        monkeypatch.setattr(training_data, "MOST_HELD", most)
        monkeypatch.setattr(training_data, "LEARNT_FROM", some)
        return training_split([pattern], SHAPE, 10, held_out=held_out, seed=seed)

    return loaded


def rows(batches):
    pairs = (pair for images, labels in batches for pair in zip(images.numpy(), labels.numpy(), strict=True))
    return [(image.tobytes(), int(label.argmax())) for image, label in pairs]


def expected():
    parsed = (tf.train.Example.FromString(example(number)).features.feature for number in range(COUNT))
    return {each["image"].bytes_list.value[0]: each["label"].int64_list.value[0] for each in parsed}


def test_a_split_is_held_up_to_a_number_of_bytes(files, load):
    assert isinstance(load(files, most=COUNT * 48), HeldSplit)
    assert isinstance(load(files, most=COUNT * 48 - 1), StreamedSplit)


def test_every_example_is_trained_on_or_held_out_and_never_both(files, load):
    split = load(files)
    trained, validated = rows(split.batches(batch_size=1, seed=0, augment=False)), rows(split.validation())
    assert len(trained) + len(validated) == COUNT
    assert dict(trained + validated) == expected()
    assert (split.trained, split.validated) == (len(trained), len(validated))
    assert 120 < split.validated < 220
    assert {x.tobytes() for x in split.some} < {image for image, _ in trained}
    assert len({x.tobytes() for x in split.some}) == 200


def test_the_lengths_that_are_told_are_those_that_come(files, load):
    split = load(files)
    batches, validation = split.batches(batch_size=64, seed=0, augment=True), split.validation()
    assert len(batches) == len(list(batches)) == split.trained // 64
    assert len(validation) == len(list(validation)) == 1
    assert {x.shape for x, _ in batches} == {(64, *SHAPE)}


def test_each_epoch_has_an_order_of_its_own_that_follows_from_the_seed(files, load):
    def epochs(seed):
        batches = load(files).batches(batch_size=64, seed=seed, augment=True)
        return [rows(batches) for _ in range(2)]

    first, again, other = epochs(5), epochs(5), epochs(6)
    assert first == again
    assert first[0] != first[1]
    assert first != other


def test_files_in_the_order_of_their_classes_are_mixed(tmp_path, load):
    for label in range(10):
        write(tmp_path / f"data-{label}", [example(number, label) for number in range(label * 100, label * 100 + 100)])
    batches = load(str(tmp_path / "*")).batches(batch_size=100, seed=1, augment=False)
    assert min(len({label for _, label in rows([batch])}) for batch in batches) >= 8


def test_what_is_held_out_follows_from_the_seed(files, load):
    one, same, other = (rows(load(files, seed=seed).validation()) for seed in (1, 1, 2))
    assert one == same
    assert set(one) != set(other)


def test_no_more_is_held_than_a_buffer_and_a_sample(files, load, monkeypatch):
    monkeypatch.setattr(streamed_data, "_SHUFFLED", 0)
    split = load(files, some=7)
    assert len(split.some) == 7
    assert len(rows(split.batches(batch_size=1, seed=0, augment=False))) == split.trained


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([example(0, 10)], r"`label` must be 0 to 9 in .*last. Received: \[10\]"),
        ([example(0, size=47)], r"`image in .*last` must be 48 bytes. Received: \[47\]"),
        ([b"\xff"], "last must hold tf.Examples with `image` and `label`"),
    ],
)
def test_an_example_that_breaks_a_rule_is_found_before_training(tmp_path, load, records, message):
    write(tmp_path / "first", [example(number) for number in range(100)])
    write(tmp_path / "last", records)
    with pytest.raises(MonitorError, match=message):
        load(str(tmp_path / "*"))


def test_something_must_be_left_to_validate_with(files, load):
    with pytest.raises(MonitorError, match=f"leave at least one of {COUNT} training examples on either side"):
        load(files, held_out=1e-7)

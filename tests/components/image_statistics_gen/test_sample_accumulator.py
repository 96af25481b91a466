import pickle
from dataclasses import replace

import mmh3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.image_statistics_gen.sample_accumulator import Rows, SampleAccumulator, hash_examples

NAMES = ("image_brightness", "image_corrupt")


def rows_of(numbers, seed=0):
    """Examples that are known by their number: equal numbers are copies."""
    ids = [f"id{number}".encode() for number in numbers]
    values = [np.random.default_rng([seed, number]).random(6, np.float32) for number in numbers]
    table = np.array(values, np.float32).reshape(-1, 6)
    return Rows(
        hashes=hash_examples([bytes([number % 256]) * 4 for number in numbers], ids),
        ids=np.array(ids, object),
        values=table[:, :2],
        classes=np.array(numbers, np.int64) % 4,
        probabilities=table[:, 2:],
        labels=np.array(numbers, np.int64) % 5 - 1,
        looks=np.array(numbers, np.uint64) + np.uint64(1),
    )


def sample_of(size, *batches):
    accumulator = SampleAccumulator(size)
    for batch in batches:
        accumulator.add(rows_of(batch))
    return accumulator.extract(NAMES, predictions=True)


@given(st.data())
def test_neither_order_nor_batches_nor_workers_make_a_difference(data):
    numbers = data.draw(st.lists(st.integers(0, 60), max_size=80))
    size = data.draw(st.integers(1, 30))
    expected = sample_of(size, numbers)
    shuffled = data.draw(st.permutations(numbers))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(numbers)), max_size=6)))
    workers = [SampleAccumulator(size) for _ in range(3)]
    for part, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(numbers)], strict=True)):
        workers[part % 3].add(rows_of(shuffled[start:end]))
        if data.draw(st.booleans()):
            workers[part % 3].compact()
    workers[1].merge(workers[2])
    workers[0].merge(pickle.loads(pickle.dumps(workers[1])))  # noqa: S301
    assert workers[0].extract(NAMES, predictions=True).to_bytes() == expected.to_bytes()


def test_it_holds_the_examples_with_the_smallest_hashes_in_their_order():
    numbers = list(range(500))
    found = sample_of(50, numbers[:300], numbers[300:])
    hashes = rows_of(numbers).hashes
    smallest = np.argsort(hashes)[:50]
    assert found.ids == tuple(f"id{number}" for number in smallest)
    assert found.population == 500
    np.testing.assert_array_equal(found.values, rows_of(smallest).values)
    np.testing.assert_array_equal(found.classes, smallest % 4)
    np.testing.assert_array_equal(found.probabilities, rows_of(smallest).probabilities)
    np.testing.assert_array_equal(found.labels, smallest % 5 - 1)


def test_all_examples_are_held_when_there_are_no_more_than_wanted():
    assert set(sample_of(100, range(100)).ids) == {f"id{number}" for number in range(100)}
    assert len(sample_of(100, range(100), range(3)).ids) == 100


def test_copies_that_differ_in_values_are_chosen_by_them_and_not_by_who_came_first():
    batches = [rows_of([7], seed) for seed in range(5)]

    def chosen(order):
        accumulator = SampleAccumulator(2)
        for number in order:
            accumulator.add(batches[number])
        return accumulator.extract(NAMES, predictions=True).to_bytes()

    assert len({chosen(np.random.default_rng(seed).permutation(5)) for seed in range(20)}) == 1


def test_each_example_is_as_likely_as_any_other():
    """Of 2,000 examples numbered in order, a tenth is drawn from every part: chi-square with 9 degrees of freedom."""
    found = np.array([int(name[2:]) for name in sample_of(200, range(2000)).ids])
    counts = np.bincount(found // 200, minlength=10)
    assert ((counts - 20) ** 2 / 20).sum() < 27.9  # its 99.9th percentile


def test_memory_does_not_grow_with_the_number_of_examples():
    accumulator, sizes = SampleAccumulator(20), []
    for start in range(0, 5000, 50):
        accumulator.add(rows_of(range(start, start + 50)))
        sizes.append(len(pickle.dumps(accumulator)))
    assert max(sizes) < 10_000
    accumulator.compact()
    assert len(pickle.dumps(accumulator)) < 4000


def test_perceptual_hashes_stay_with_their_examples():
    found = sample_of(7, range(40))
    assert found.looks.tolist() == [int(name[2:]) + 1 for name in found.ids]


def test_no_example_at_all():
    found = sample_of(10, [])
    assert (found.names, found.population, found.ids, found.labels) == (NAMES, 0, (), None)
    assert found.values.shape == (0, 2)


def test_without_predictions_and_labels():
    rows = rows_of(range(5))
    accumulator = SampleAccumulator(3)
    accumulator.add(replace(rows, probabilities=rows.probabilities[:, :0], labels=np.full(5, -1)))
    found = accumulator.extract(NAMES, predictions=False)
    assert (found.classes, found.probabilities, found.labels) == (None, None, None)


@pytest.mark.parametrize(("name", "image"), [(b"", b""), (b"", b"image"), (b"a", b"image"), (b"a" * 40, b"i" * 3072)])
def test_the_hash_is_murmurs_of_the_id_and_of_that_of_the_image(name, image):
    digest = mmh3.hash_bytes(name + mmh3.hash_bytes(image))
    assert hash_examples([memoryview(image)], [name]).tolist() == [int.from_bytes(digest[:8], "little")]


def test_samples_of_other_machines_and_versions_have_the_same_hashes():
    assert hash_examples([b"image", b""], [b"id", b""]).tolist() == [9909875671813483609, 5457549051747178710]


def test_id_and_image_are_not_confused():
    hashes = hash_examples([b"ab", b"b", b"", b"ab"], [b"", b"a", b"ab", b""])
    assert len(set(hashes.tolist())) == 3
    assert hashes[0] == hashes[3]


def test_ids_that_are_no_text_are_kept_readable():
    rows = rows_of([1])
    accumulator = SampleAccumulator(1)
    accumulator.add(replace(rows, ids=np.array([b"\xff/0"], object)))
    assert accumulator.extract(NAMES, predictions=True).ids == ("\\xff/0",)

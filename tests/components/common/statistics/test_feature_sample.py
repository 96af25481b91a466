import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.errors import MonitorError
from components.common.statistics.feature_sample import FILE_NAME, FeatureSample

RNG = np.random.default_rng(20)


def sample(count=5, **changes):
    fields = {
        "names": ("image_brightness", "image_corrupt", "prediction_confidence"),
        "values": RNG.random((count, 3)).astype(np.float32),
        "population": 100,
        "ids": tuple(f"request-{n}/0" for n in range(count)),
        "classes": np.arange(count) % 10,
        "probabilities": RNG.random((count, 10)).astype(np.float32),
        "labels": np.arange(count) - 1,
        "looks": np.arange(count).astype(np.uint64),
    }
    return FeatureSample(**(fields | changes))


def assert_same(one, other):
    assert (one.names, one.population, one.ids) == (other.names, other.population, other.ids)
    for name in ("values", "classes", "probabilities", "labels", "looks"):
        first, second = getattr(one, name), getattr(other, name)
        if first is None:
            assert second is None
        else:
            np.testing.assert_array_equal(first, second)
            assert first.dtype == second.dtype


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"count": 0},
        {"classes": None, "probabilities": None},
        {"labels": None},
        {"looks": None},
        {"values": np.full((5, 3), np.nan, np.float32)},
        {"ids": ("", "ä/0", "a\0", "long" * 10_000, "")},
        {"names": (), "values": np.zeros((5, 0), np.float32)},
    ],
)
def test_what_is_written_is_read(changes, tmp_path):
    written = sample(**changes)
    written.write(str(tmp_path / FILE_NAME))
    assert_same(FeatureSample.read(str(tmp_path / FILE_NAME)), written)


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)))))
def test_any_ids_are_kept(ids):
    written = sample(len(ids), ids=tuple(ids))
    assert FeatureSample.from_bytes(written.to_bytes()).ids == tuple(ids)


def test_equal_samples_are_equal_files_whenever_they_are_written(monkeypatch):
    one = sample()
    content = one.to_bytes()
    monkeypatch.setattr("time.time", lambda: 4e9)
    again = sample(values=np.asfortranarray(one.values), probabilities=one.probabilities.copy(order="F"))
    assert again.to_bytes() == content
    assert sample(values=one.values + 1, probabilities=one.probabilities).to_bytes() != content


def test_one_long_id_does_not_make_the_others_long():
    ids = ("x" * 100_000, *("y" for _ in range(999)))
    assert len(sample(1000, ids=ids, population=1000).to_bytes()) < 250_000


def test_a_file_holds_no_pickles_and_numpy_reads_it():
    with np.load(io.BytesIO(sample().to_bytes()), allow_pickle=False) as file:
        assert file["values"].shape == (5, 3)
        assert file["names"].tolist() == ["image_brightness", "image_corrupt", "prediction_confidence"]


def replaced(content, **arrays):
    """The file with some of its entries replaced; None takes one out."""
    with np.load(io.BytesIO(content)) as file:
        entries = dict(file) | arrays
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in entries.items() if array is not None})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"values": None}, "values"),
        ({"version": np.array(2)}, "`version` must be 1. Received: 2"),
        ({"values": np.zeros((5, 2), np.float32)}, r"`values` must be float32\[5, 3\]. Received: 'float32\[5, 2\]'"),
        ({"values": np.zeros((5, 3))}, r"`values` must be float32\[5, 3\]. Received: 'float64\[5, 3\]'"),
        ({"classes": np.zeros(4, np.int64)}, r"`classes` must be int64\[5\]"),
        ({"probabilities": np.zeros(5, np.float32)}, r"`probabilities` must be float32\[5, -1\]"),
        ({"probabilities": None}, "`classes` must be given together with `probabilities`"),
        ({"looks": np.zeros(5)}, r"`looks` must be uint64\[5\]. Received: 'float64\[5\]'"),
        ({"labels": np.zeros(5)}, r"`labels` must be int64\[5\]. Received: 'float64\[5\]'"),
        ({"population": np.array(4)}, "`population` must be 5 or more"),
        ({"names": np.array(["a", "a", "b"])}, "`names` must all be different"),
        ({"id_lengths": np.array([1, 1, 1, 1, 1])}, "`id_lengths` must add up to the 55 bytes"),
        ({"id_lengths": np.array([-1, 12, 22, 11, 11])}, "`id_lengths` must add up to the 55 bytes"),
        ({"ids": np.full(55, 255, np.uint8)}, "utf-8"),
        ({"population": np.array([1, 2])}, "Received: "),
    ],
)
def test_a_file_that_does_not_fit_together_is_refused(arrays, message):
    content = replaced(sample().to_bytes(), **arrays)
    with pytest.raises(MonitorError, match=message) as raised:
        FeatureSample.from_bytes(content, "the/file")
    assert str(raised.value).startswith("the/file must be a complete feature sample")


def test_a_file_with_pickles_is_refused():
    content = replaced(sample().to_bytes(), ids=np.array([object()]))
    with pytest.raises(MonitorError, match="allow_pickle"):
        FeatureSample.from_bytes(content)


@given(st.data())
def test_a_damaged_file_is_refused_or_harmless_and_never_another_error(data):
    content = bytearray(sample().to_bytes())
    if data.draw(st.booleans()):
        damaged = bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        damaged = bytes(content)
    try:
        found = FeatureSample.from_bytes(damaged)
    except MonitorError:
        return
    assert len(found.ids) == len(found.values) == 5  # a byte that says nothing, such as a time


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\3\4"])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    with pytest.raises(MonitorError, match=f"{path} must be a complete feature sample"):
        FeatureSample.read(str(path))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MonitorError, match=r"must be a readable file. Received: No such file"):
        FeatureSample.read(str(tmp_path / FILE_NAME))


def test_a_zip_of_something_else_is_refused(tmp_path):
    path = tmp_path / FILE_NAME
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version.npy", "text")
    with pytest.raises(MonitorError, match="must be a complete feature sample"):
        FeatureSample.read(str(path))


def test_rows_are_taken_in_the_order_asked_for_with_all_that_is_known_of_them():
    whole = sample()
    some = whole.take([3, 1])
    assert (some.ids, some.population) == ((whole.ids[3], whole.ids[1]), 2)
    np.testing.assert_array_equal(some.values, whole.values[[3, 1]])
    assert some.looks.tolist() == [3, 1]
    assert whole.take(range(2), whole.population).population == whole.population
    assert_same(whole.take(range(5), whole.population), whole)


def test_samples_are_joined_row_by_row_and_lack_what_one_lacks():
    one, other = sample(), sample(labels=None)
    both = FeatureSample.joined([one, other])
    assert both.ids == (*one.ids, *other.ids)
    assert both.population == one.population + other.population
    assert both.labels is None
    np.testing.assert_array_equal(both.classes, np.concatenate([one.classes, other.classes]))
    with pytest.raises(MonitorError, match="samples"):
        FeatureSample.joined([one, sample(names=("a", "b", "c"))])

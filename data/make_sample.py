"""Makes the embedded CIFAR-10 sample from the full set: `python data/make_sample.py FULL_SET_FOLDER OUTPUT_FOLDER`.

4,000 training images (400 a class, out of all five training files), 2,000 test images (200 a class) and 1,000 other
test images (100 a class) that stand for what is served, in the canonical record layout (one label byte, then the red,
green and blue planes of 1,024 bytes each), gzipped.

Which records are taken, and in which order they are written, follows from the SHA-256 of "seed:file:record" alone: no
random generator whose stream may change between versions is involved, so the contents are the same everywhere.
"""

import argparse
import gzip
import hashlib
import io
from pathlib import Path

SEED = 20090408  # the date of the technical report that introduced CIFAR-10
RECORD = 1 + 3 * 32 * 32
CLASSES = 10
TRAIN_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILES = ("test_batch.bin",)


def draw(folder: Path, names: tuple[str, ...], per_class: int, skip: int = 0) -> bytes:
    """The `per_class` records of each class with the lowest keys but for the lowest `skip`, in order of keys."""
    keyed: dict[int, list[tuple[bytes, bytes]]] = {label: [] for label in range(CLASSES)}
    for name in names:
        data = (folder / name).read_bytes()
        if not data or len(data) % RECORD:
            raise SystemExit(f"{folder / name}: {len(data)} bytes is not a whole number of {RECORD}-byte records")
        for number, start in enumerate(range(0, len(data), RECORD)):
            key = hashlib.sha256(f"{SEED}:{name}:{number}".encode()).digest()
            keyed[data[start]].append((key, data[start : start + RECORD]))
    short = {label: len(rows) for label, rows in keyed.items() if len(rows) < skip + per_class}
    if short:
        raise SystemExit(f"{folder}: {skip + per_class} records a class are needed; class -> found: {short}")
    chosen = [row for rows in keyed.values() for row in sorted(rows)[skip : skip + per_class]]
    return b"".join(record for _, record in sorted(chosen))


def write(path: Path, data: bytes) -> None:
    """Gzips `data` into `path` with neither time nor name in the header, and prints both digests."""
    buffer = io.BytesIO()
    # not gzip.compress: what it writes into the header's "operating system" byte depends on the version of Python
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as stream:
        stream.write(data)
    packed = buffer.getvalue()
    path.write_bytes(packed)
    print(f"{path}: {len(data) // RECORD} records, {len(packed)} bytes")
    print(f"  sha256 of the contents {hashlib.sha256(data).hexdigest()}")
    print(f"  sha256 of the file     {hashlib.sha256(packed).hexdigest()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("full_set", type=Path, help="folder with data_batch_1.bin ... data_batch_5.bin, test_batch.bin")
    parser.add_argument("output", type=Path, help="folder to write the gzipped files into")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    write(arguments.output / "data_batch_1.bin.gz", draw(arguments.full_set, TRAIN_FILES, per_class=400))
    write(arguments.output / "test_batch.bin.gz", draw(arguments.full_set, TEST_FILES, per_class=200))
    write(arguments.output / "serving_batch.bin.gz", draw(arguments.full_set, TEST_FILES, per_class=100, skip=200))


if __name__ == "__main__":
    main()

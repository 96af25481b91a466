"""Windows of real images. What imports TFX does so in its fixture: tests without it start in an instant."""

import pytest

from tests.support import sample_images


@pytest.fixture(scope="session")
def shifts():
    """Ways to change images, by name."""
    return {"blurred": sample_images.blurred, "brightened": sample_images.brightened}


@pytest.fixture(scope="session")
def pool():
    """The images of the embedded sample, `uint8[6000, 32, 32, 3]`, in an order that is as good as drawn."""
    return sample_images.shuffled()


@pytest.fixture(scope="session")
def write_statistics():
    """Describes images as ImageStatisticsGen does: (folder, {split: images}, span, ...) -> ExampleStatistics."""
    from tests.support.described_images import write_statistics

    return write_statistics

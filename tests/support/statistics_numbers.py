"""What a file of statistics says, as numbers that two runs can be compared by."""

from pathlib import Path

from tensorflow_metadata.proto.v0 import statistics_pb2


def numbers_of_statistics(path: Path) -> dict[str, tuple[float, ...]]:
    """By feature: how many examples, mean, standard deviation, and the counts of all buckets."""
    (data,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets
    return {
        feature.path.step[0]: (
            data.num_examples,
            feature.num_stats.mean,
            feature.num_stats.std_dev,
            *(bucket.sample_count for histogram in feature.num_stats.histograms for bucket in histogram.buckets),
            *(bucket.sample_count for bucket in feature.string_stats.rank_histogram.buckets),
        )
        for feature in data.features
    }

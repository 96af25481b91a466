"""The ids of nodes that the tool knows, by what they are to it.

Runs of other pipelines are read by the types of their artifacts; where a node has one of these ids it is taken for the
component of that name.
"""

# Of monitoring pipelines.
LOGS = "ServingLogExampleGen"
BASELINE = "BaselineImporter"
DRIFT = "SkewDriftValidator"
ACCURACY = "PerformanceEstimator"
REPORT = "ValidationReport"
GUARD = "VerdictGuard"
PREVIOUS_STATISTICS = "PreviousStatistics"
MONITORING = (LOGS, BASELINE, DRIFT, ACCURACY)  # what a run that has evaluated a span has finished

# Of the pipeline's name where an earlier version answered a window anew: how it would have done, which is no verdict on
# what was served.
PREDECESSOR = "-predecessor"

# Of training pipelines.
DATA_CHECK = "ExampleValidator"
EVALUATOR = "Evaluator"
GATE = "PushGate"
PUSHER = "AtomicPusher"
GATES = (GATE, EVALUATOR)  # whose blessing counts, the first of them that there is

# Statistics: of the images of a window or of the training data, of what was served, of held-out examples.
IMAGE_STATISTICS = "ImageStatisticsGen"
SERVING_STATISTICS = "ServingStatisticsGen"
BASELINE_STATISTICS = "BaselineStatisticsGen"


def is_of_what_was_served(pipeline: str) -> bool:
    """Whether a pipeline's runs are about what was served, and not about how an earlier version would have done.

    >>> is_of_what_was_served("monitoring"), is_of_what_was_served("monitoring-predecessor")
    (True, False)
    """
    return not pipeline.endswith(PREDECESSOR)


def makes_statistics(node: str) -> bool:
    """Whether a node's id says that it makes statistics, ours or TFX's.

    >>> makes_statistics("StatisticsGen"), makes_statistics("Trainer")
    (True, False)
    """
    return "StatisticsGen" in node


def imports_examples(node: str) -> bool:
    """Whether a node's id says that it brings examples in.

    >>> imports_examples("CsvExampleGen"), imports_examples("BulkInferrer")
    (True, False)
    """
    return node.endswith("ExampleGen")

"""What standard components call the files and folders of their artifacts. Imports nothing, as servers need some."""

SPLIT_PREFIX = "Split-"  # of the folder of a split
PAIR_PREFIX = "SplitPair-"  # DistributionValidator's, of two splits
STATISTICS_FILE = "FeatureStats.pb"  # StatisticsGen's
LEGACY_STATISTICS_FILE = "stats_tfrecord"  # what TFX wrote before
ANOMALIES_FILE = "SchemaDiff.pb"  # ExampleValidator's
LEGACY_ANOMALIES_FILE = "anomalies.pbtxt"  # what TFX wrote before
SCHEMA_FILE = "schema.pbtxt"  # SchemaGen's
CURRENT_MODEL = "current_model"  # a property of a blessing: the URI of the model that it is about
BASELINE_MODEL = "baseline_model"  # ... and of the one that this was compared with
SERVING_MODEL_DIR = "Format-Serving"  # of a `Model`: the folder of its SavedModel
PLANNED_NODES = "planned_nodes"  # a property of a run in ML Metadata: the ids of the nodes that it is to have
NODE_OF_RUN = "node_of_run"  # the type of a context in ML Metadata that is of one node in one run
# Ours: custom properties of statistics that serving is compared with, where they are of windows of serving.
REFERENCE = "reference"  # which windows, since when
REFERENCE_EXAMPLES = "reference_examples"  # the folder of their `Examples`
# Ours: a custom property, 1 where what an importer was to bring in turned out to be nothing: its folder is empty.
IS_NONE = "is_none"
# Ours: a custom property of imported statistics: the URI of the artifact that the published ones are a copy of.
COPIED_FROM = "copied_from"
# Ours: custom properties of what BaselineImporter gives.
PUSHED_VERSION_PROPERTY = "pushed_version"  # the number, as text: 2^63 is no number of JSON's


def node_of_run(pipeline: str, run_id: str, node: str) -> str:
    """The name of the context of type `NODE_OF_RUN`."""
    return f"{pipeline}.{run_id}.{node}"

"""Runs TFX's own penguin example, as it is installed, on the data that TFX is installed with.

    python tests/e2e/stock_penguin.py FOLDER

Two runs under FOLDER: one whose model is pushed, and one with a column that its schema does not know and a threshold
that no model reaches. The example takes its data as CSV; TFX ships it as Examples.
"""

import csv
import gc
import os
import sys
from pathlib import Path

# The model of the example is one of Keras 2, and its module is imported from where it is.
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["UNSUPPORTED_DO_NOT_PACKAGE_USER_MODULES"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import tfx
from tfx.examples.penguin import penguin_pipeline_local
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from components.common.artifacts.files import local_files
from components.common.artifacts.tf_example import parse_example

TFX = Path(tfx.__file__).parent
PENGUIN = TFX / "components" / "testdata" / "penguin"
# The example's own flag of that name knows no other runner of one process; the rest as in pipelines/config.py.
BEAM_ARGS = ["--runner=DirectRunner", "--sdk_container_image=unused", "--pickle_library=cloudpickle"]
IMPOSSIBLE = 1.01


def write_csv(folder: Path, **more: str) -> Path:
    """The penguins of TFX's test data as the example wants them, with columns added that are the same in each row."""
    (folder / "labelled").mkdir(parents=True)
    rows = []
    for file in sorted((PENGUIN / "data").glob("*/*.gz")):
        rows += [parse_example(record) for record in local_files().records(str(file))]
    names = sorted(rows[0])
    with open(folder / "labelled" / "penguins.csv", "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([*names, *more])
        writer.writerows([*(row[name][0] for name in names), *more.values()] for row in rows)
    return folder


def run(root: Path, data: Path, threshold: float, schema: Path | None) -> None:
    pipeline = penguin_pipeline_local.create_pipeline(
        pipeline_name="penguin_local",
        pipeline_root=str(root / "pipelines" / "penguin_local"),
        data_root=str(data),
        module_file=str(TFX / "examples" / "penguin" / "penguin_utils_keras.py"),
        accuracy_threshold=threshold,
        serving_model_dir=str(root / "serving_model"),
        metadata_path=str(root / "metadata" / "penguin_local" / "metadata.db"),
        user_provided_schema_path=str(schema) if schema else None,
        enable_tuning=False,
        enable_bulk_inferrer=False,
        enable_example_diff=False,
        examplegen_input_config=None,
        examplegen_range_config_date=None,
        resolver_range_config=None,
        beam_pipeline_args=BEAM_ARGS,
        enable_transform_input_cache=False,
    )
    LocalDagRunner().run(pipeline)


def main(root: Path) -> None:
    gc.freeze()  # a collection of garbage that goes through all of TFX takes more than half a second
    run(root, write_csv(root / "data"), 0.6, None)
    run(root, write_csv(root / "newer_data", island="Biscoe"), IMPOSSIBLE, PENGUIN / "schema" / "schema.pbtxt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

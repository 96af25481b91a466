"""`ServingLogExampleGen`: serving logs -> Examples, one row an image, and what is wrong with them."""

from tfx import types
from tfx.components.example_gen import component, utils
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from ..common.errors import MonitorError, require
from ..common.model_spec import ModelSpec
from ..common.plain_paths import require_plain
from ..common.span_patterns import DEFAULT_PATTERN
from . import executor
from .read_options import DEFAULT_MAX_ROWS, MAX_BROKEN_FRACTION, MAX_ROWS, MODEL_VERSION, SPEC, ReadOptions
from .subsampling import ONE_EXAMPLE_PER


class ServingLogExampleGenSpec(component_spec.ComponentSpec):
    """What every file-based ExampleGen has, and how the logs are to be read."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads these as class attributes
        **standard_component_specs.FileBasedExampleGenSpec.PARAMETERS,
        SPEC: component_spec.ExecutionParameter(type=str),
        MODEL_VERSION: component_spec.ExecutionParameter(type=int),
        ONE_EXAMPLE_PER: component_spec.ExecutionParameter(type=str),
        MAX_BROKEN_FRACTION: component_spec.ExecutionParameter(type=float),
        MAX_ROWS: component_spec.ExecutionParameter(type=int),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012
        **standard_component_specs.FileBasedExampleGenSpec.OUTPUTS,
        executor.ANOMALIES_KEY: component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
    }


class _OfBaselineSpec(ServingLogExampleGenSpec):
    INPUTS = {  # noqa: RUF012
        executor.BASELINE_KEY: component_spec.ChannelParameter(type=standard_artifacts.Schema)
    }


class ServingLogExampleGen(component.FileBasedExampleGen):
    """Reads a span of `PredictionLog` records, in TFRecord files plain or gzipped, into tf.Examples, one an image.

        logs = ServingLogExampleGen("/logs", spec=ModelSpec.load("monitor.yaml"))

    reads the newest of `/logs/1/*`, `/logs/2/*` ... What the requests and records look like is in
    `docs/serving_logs.md`. The rows have the same features whatever the model's own names are: `spec.rows` describes
    them. What is wrong with the logs (pixels of another scale, type or shape, missing responses, broken records ...)
    comes as anomalies that `PushGate` reads.

    Component `outputs` contains:
      - `examples`: Channel of type `standard_artifacts.Examples`, split `serving`.
      - `anomalies`: Channel of type `standard_artifacts.ExampleAnomalies`, split `serving`; counts and dead letters
        lie beside it.
    """

    SPEC_CLASS = ServingLogExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(  # noqa: PLR0913 - what every ExampleGen takes, the model, and what is taken of its logs
        self,
        input_base: str | data_types.RuntimeParameter,
        input_config: example_gen_pb2.Input | data_types.RuntimeParameter | None = None,
        range_config: range_config_pb2.RangeConfig | data_types.RuntimeParameter | None = None,
        *,
        spec: ModelSpec,
        model_version: int = 0,
        baseline: types.BaseChannel | None = None,
        one_example_per: str = "example",
        max_broken_fraction: float = 0.01,
        max_rows: int = DEFAULT_MAX_ROWS,
    ) -> None:
        """Args:
          input_base: folder with the logs, on any file system that TFX can read.
          input_config: one split `serving` and its pattern below `input_base`; `{SPAN}/*` by default.
          range_config: which span to take; the latest by default.
          spec: the model that was asked. Requests must have its `image.input`, or `examples`, serialised tf.Examples;
            responses its `outputs`. With `image.dtype` the type is checked, with `image.channel_means` the order of the
            channels.
          model_version: take the rows of this version only; 0: of all.
          baseline: channel of the `Schema` by a BaselineImporter: the rows of the version that it has imported are
            taken, which may not be known before the pipeline runs. None: those of `model_version`.
          one_example_per: "example" takes all; for correlated traffic, "image" takes one of equal images, "request" one
            of each request, "client" one of each client and "60s" one of each minute. A client is known by the string
            input `log/client_id` that ServingLogWriter writes, by another one ("client:field:NAME"), by what stands in
            front of a separator in the request id ("client:prefix:-") or by the one group of a regular expression
            found in it ("client:pattern:REGEX").
          max_broken_fraction: proportion, 0 to 1, of records or images above which a problem is an error and not a
            warning.
          max_rows: the most rows that a span may have; those beyond it are left out and counted, which is an error.

        Raises:
          MonitorError: an argument breaks a rule above.

        """
        named = isinstance(input_base, data_types.RuntimeParameter | str) and input_base != ""
        require(named, "input_base", "be the path of a folder, as text", input_base)
        if isinstance(input_base, str):
            require_plain(input_base, "input_base")
        input_config = input_config or make_input(DEFAULT_PATTERN)
        if isinstance(input_config, example_gen_pb2.Input):
            _check_input(input_config, range_config)
        options = ReadOptions(spec, model_version, one_example_per, max_broken_fraction, max_rows)
        # Past FileBasedExampleGen's own, which knows one output only; Kubeflow's runner asks for that class.
        base_beam_component.BaseBeamComponent.__init__(
            self, spec=_make_spec(input_base, input_config, range_config, options, baseline)
        )


def _make_spec(
    input_base: str | data_types.RuntimeParameter,
    input_config: example_gen_pb2.Input | data_types.RuntimeParameter,
    range_config: range_config_pb2.RangeConfig | data_types.RuntimeParameter | None,
    options: ReadOptions,
    baseline: types.BaseChannel | None,
) -> ServingLogExampleGenSpec:
    rule = "be left out where a `baseline` says it"
    require(baseline is None or options.model_version == 0, MODEL_VERSION, rule, options.model_version)
    given = {} if baseline is None else {executor.BASELINE_KEY: baseline}
    return (_OfBaselineSpec if given else ServingLogExampleGenSpec)(
        **given,
        input_base=input_base,
        input_config=input_config,
        output_config=example_gen_pb2.Output(),
        range_config=range_config,
        output_data_format=example_gen_pb2.FORMAT_TF_EXAMPLE,
        output_file_format=example_gen_pb2.FORMAT_TFRECORDS_GZIP,
        **options.to_properties(),
        examples=types.Channel(type=standard_artifacts.Examples),
        anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
    )


def make_input(pattern: str) -> example_gen_pb2.Input:
    """An `input_config` for logs under `pattern`."""
    return example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name=executor.SPLIT, pattern=pattern)])


def _check_input(
    config: example_gen_pb2.Input, range_config: range_config_pb2.RangeConfig | data_types.RuntimeParameter | None
) -> None:
    splits = [split.name for split in config.splits]
    require(splits == [executor.SPLIT], "input_config.splits", f"be one split named {executor.SPLIT}", splits)
    split = config.splits[0]
    require(bool(split.pattern), "input_config.splits[0].pattern", "be a file pattern below input_base", split.pattern)
    try:
        has_span, has_date, _ = utils.verify_split_pattern_specs(split)
    except ValueError as error:
        raise MonitorError(f"`input_config.splits[0].pattern`: {error}") from error
    if range_config is not None:
        rule = "have a {SPAN} or a date for range_config"
        require(has_span or has_date, "input_config.splits[0].pattern", rule, split.pattern)

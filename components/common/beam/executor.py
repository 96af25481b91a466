"""A Beam executor that Beam costs nothing where it makes no pipeline."""

from apache_beam import Pipeline
from tfx.dsl.components.base import base_beam_executor


class BeamExecutor(base_beam_executor.BaseBeamExecutor):
    """TFX's `BaseBeamExecutor`, whose options are worked out when the first pipeline is made.

    TFX does so for every executor that there is: it reads all of Beam's options, and looks for what a worker elsewhere
    would have to be sent, which for a small span takes as long as reading its examples.
    """

    def __init__(self, context: base_beam_executor.BaseBeamExecutor.Context | None = None) -> None:
        super(base_beam_executor.BaseBeamExecutor, self).__init__(context)
        self._beam_pipeline_args = list(context.beam_pipeline_args or ()) if context else []
        self._make_beam_pipeline_fn = context.make_beam_pipeline_fn if context else None

    def _make_beam_pipeline(self) -> Pipeline:
        super().__init__(self._context)
        return super()._make_beam_pipeline()

"""Beam's functions run in this process, one after the other, without a pipeline: for where there is nobody else.

Building a pipeline of thirty steps, translating it and setting up its workers takes Beam a second of processor time
before the first element; a window of a thousand images has work for a fifth of that. And what Beam's in-process runner
groups it keeps in memory, several times over. The functions are the same, only what is between them differs
(docs/decisions/2026-11-26-small-spans-without-a-pipeline.md).
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.utils.windowed_value import WindowedValue

MAIN = None  # the tag of a function's main output
_IN_THIS_PROCESS = ("directrunner", "fnapirunner")
_OF_THIS_PROCESS = (*_IN_THIS_PROCESS, "processrunner")  # workers of the latter are processes that this one starts


def runs_alone(beam_args: Sequence[str]) -> bool:
    """Whether Beam's options say that everything runs in this process, so that there is nobody to share work with."""
    runner, mode = _runner(tuple(beam_args))
    return mode == "in_memory" and runner in _IN_THIS_PROCESS


def groups_here(beam_args: Sequence[str]) -> bool:
    """Whether what Beam groups is held in the memory of this process, whoever does the work."""
    return _runner(tuple(beam_args))[0] in _OF_THIS_PROCESS


@lru_cache(maxsize=8)
def _runner(beam_args: tuple[str, ...]) -> tuple[str, str]:
    """The runner's name, in small letters, and the mode of Beam's own."""
    options = PipelineOptions(list(beam_args))
    runner = options.view_as(StandardOptions).runner or "DirectRunner"
    return runner.rpartition(".")[2].lower(), options.view_as(DirectOptions).direct_running_mode


def stream(function: beam.DoFn, elements: Iterable[Any], *side_inputs: Any) -> Iterator[tuple[str | None, Any]]:
    """What a DoFn gives of these elements in one bundle, with the tag of the output, as soon as it gives it."""
    function.setup()
    try:
        function.start_bundle()
        for element in elements:
            yield from map(_of_output, function.process(element, *side_inputs) or ())
        yield from map(_of_output, function.finish_bundle() or ())
    finally:
        function.teardown()


def _of_output(given: Any) -> tuple[str | None, Any]:
    tag, value = (given.tag, given.value) if isinstance(given, beam.pvalue.TaggedOutput) else (MAIN, given)
    return tag, value.value if isinstance(value, WindowedValue) else value


def combine(function: beam.CombineFn, elements: Iterable[Any]) -> Any:
    """What a CombineFn makes of all elements, gathered by one worker and merged by another."""
    function.setup()
    try:
        gathered = function.create_accumulator()
        for element in elements:
            gathered = function.add_input(gathered, element)
        return function.extract_output(function.merge_accumulators([function.compact(gathered)]))
    finally:
        function.teardown()

"""What Beam is told of a DoFn's methods is what it would find itself."""

import apache_beam as beam
from apache_beam.transforms import core
from apache_beam.typehints.decorators import get_signature

from tests.support.beam_methods import look_up_once


class _Plain(beam.DoFn):
    def process(self, element, side, window=beam.DoFn.WindowParam):
        return [element]


class _Other(beam.DoFn):
    def process(self, element):
        return [element]


def test_arguments_are_those_of_the_method_whoever_asked_before():
    look_up_once()
    for each in (_Plain(), _Other(), _Plain()):
        for name in ("process", "setup", "start_bundle"):
            names, defaults = core.get_function_arguments(each, name)
            parameters = get_signature(getattr(each, name)).parameters
            assert names == list(parameters)
            assert defaults == [p.default for p in parameters.values() if p.default is not p.empty]
            names.append("spoilt")
    assert core.get_function_args_defaults(_Other.process)[0] == ["self", "element"]  # as a function
    assert core.get_function_args_defaults(_Other().process)[0] == ["element"]

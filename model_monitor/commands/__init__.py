"""What `model-monitor` can do, a module each: `add_arguments(parser)`, and `run(options)`, which gives the exit code.

None imports TensorFlow or TFX before it has to. docs/cli.md has the commands and what their exit codes mean.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..reading.verdicts import RunVerdict

EXIT_FINE, EXIT_ERROR, EXIT_BLOCKED = 0, 1, 2
_NO_OPINION = ("failed", "running", "no_verdict")


def exit_code(says: "RunVerdict") -> int:
    """0 for what is fine, pushed or blessed; 1 where a run came to no verdict; 2 for all else, undecided included."""
    if says.outcome.value == "passed":
        return EXIT_FINE
    return EXIT_ERROR if says.state.value in _NO_OPINION else EXIT_BLOCKED


def worst_code(codes: "list[int]") -> int:
    """Of several runs: an error is worse than what is not fine."""
    return next((code for code in (EXIT_ERROR, EXIT_BLOCKED) if code in codes), EXIT_FINE)

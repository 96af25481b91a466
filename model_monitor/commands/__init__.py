"""What `model-monitor` can do, a module each: `add_arguments(parser)`, and `run(options)`, which gives the exit code.

None imports TensorFlow or TFX before it has to. docs/cli.md has the commands and what their exit codes mean.
"""

from collections.abc import Sequence

from components.common.verdict_words import EXIT_BLOCKED, EXIT_ERROR, EXIT_FINE

__all__ = ["EXIT_BLOCKED", "EXIT_ERROR", "EXIT_FINE", "worst_code"]


def worst_code(codes: Sequence[int]) -> int:
    """Of several runs: an error is worse than what is not fine."""
    return next((code for code in (EXIT_ERROR, EXIT_BLOCKED) if code in codes), EXIT_FINE)

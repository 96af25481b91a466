"""What `model-monitor` can do, a module each: `add_arguments(parser)`, and `run(options)`, which gives the exit code.

None imports TensorFlow or TFX before it has to.
"""

EXIT_FINE, EXIT_ERROR, EXIT_BLOCKED = 0, 1, 2

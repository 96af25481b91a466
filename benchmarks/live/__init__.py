"""What live monitoring costs."""

import model_monitor  # noqa: F401 - before NumPy, as in every process of the tool

"""The tool for people, `model-monitor`."""

from .processor import tell_openblas

tell_openblas()  # here, because NumPy reads it when it is imported

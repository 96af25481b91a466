"""The tool for people, `model-monitor`."""

from components.common.processor import tell_openblas

tell_openblas()  # here, because NumPy reads it when it is imported

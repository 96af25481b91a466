"""The statistics of an earlier span, where there are some."""

"""A schema whose text travels inside the pipeline."""

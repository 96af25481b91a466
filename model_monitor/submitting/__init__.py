"""Sending a compiled pipeline to Kubeflow Pipelines: what is checked here first, and what is asked of its API."""

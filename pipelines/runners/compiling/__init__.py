"""What compiling a pipeline for Kubeflow Pipelines takes besides TFX's own compiler."""

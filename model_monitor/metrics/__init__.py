"""What is known of the models that are watched, as series: for Prometheus, OpenTelemetry and TensorBoard."""

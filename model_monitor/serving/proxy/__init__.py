"""A reverse proxy that forwards the traffic of a model server as it is and writes serving logs of it. No TensorFlow."""

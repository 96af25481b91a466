"""`model-monitor ui`: the runs of a store as pages in a browser. Reads only, and imports neither TFX nor TensorFlow."""

"""A small model server that speaks and behaves as TensorFlow Serving does. Imports TensorFlow."""

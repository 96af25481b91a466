"""What clients and servers of models say to each other, as named tensors and back. NumPy only."""

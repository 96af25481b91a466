"""CIFAR-10 binary files -> Examples."""

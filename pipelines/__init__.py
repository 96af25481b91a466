"""The example pipelines: training and monitoring a CIFAR-10 classifier with the components of this project."""

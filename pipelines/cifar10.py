"""What the worked example knows about CIFAR-10's images, in one place. Imports nothing."""

IMAGE_SHAPE = (32, 32, 3)  # height, width, channels (R, G, B), one byte each
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

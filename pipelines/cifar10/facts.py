"""What the worked example knows about CIFAR-10's images, in one place. Imports nothing."""

IMAGE_SHAPE = (32, 32, 3)  # height, width, channels (R, G, B), one byte each
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Mean red, green and blue of the 50,000 training images, 0 to 255.
CHANNEL_MEANS = (125.3, 123.0, 113.9)

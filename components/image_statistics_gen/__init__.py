"""Statistics that describe images, as ordinary TFDV statistics."""

"""A SavedModel, loaded and asked as a server would, with images as its spec describes them."""

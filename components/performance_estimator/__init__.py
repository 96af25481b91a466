"""How accurate the model is on a window: estimated without labels, measured where labels come later."""

"""Every verdict about a model, turned into one blessing with reasons."""

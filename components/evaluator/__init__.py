"""TFX's Evaluator, for pipelines whose baseline may turn out to be none."""

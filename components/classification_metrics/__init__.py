"""TFMA metrics for multi-class classifiers that TFMA lacks: worst-class accuracy and expected calibration error."""

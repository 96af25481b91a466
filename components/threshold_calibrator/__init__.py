"""Comparator thresholds computed from the baseline, for windows of a planned size and a chosen rate of false alarms."""

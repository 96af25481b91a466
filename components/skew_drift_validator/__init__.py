"""Is a window of serving data like the baseline, and like the span before? At a known rate of false alarms."""

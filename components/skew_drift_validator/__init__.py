"""Is a window of serving data like the baseline, and like the previous span? At a known rate of false alarms."""

"""What many windows say together: how often false alarms are bearable, slow drift, and the accuracy over time."""

"""Incidents: what is wrong with a served model, from the first window that is not fine to the first that is again."""

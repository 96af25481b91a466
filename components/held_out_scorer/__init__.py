"""Scores held-out examples with the model that is to be served, as rows that logs are compared with."""

"""Alerts: who is told of an incident, by which channel, and what becomes of each message."""

"""Runs read back out of ML Metadata: what became of them, why, and what is in their artifacts. Never written."""

"""Brings a pushed version back into a pipeline as artifacts, so that ML Metadata shows what was compared with what."""

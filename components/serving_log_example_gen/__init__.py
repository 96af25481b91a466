"""Serving logs: files of PredictionLog records, read as Examples and written."""

"""Publishes a blessed model and its baseline bundle as one new version, in one rename."""

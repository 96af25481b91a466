"""Policies as data, a folder for each model: what its data must look like, and what must hold before it is pushed."""

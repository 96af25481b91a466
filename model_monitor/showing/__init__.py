"""The table at the end of a run: what was found, what each check said, and where things are."""

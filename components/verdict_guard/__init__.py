"""VerdictGuard: ends a run in failure unless its verdict is that every check passed."""

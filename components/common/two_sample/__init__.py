"""Are two samples of examples alike? One exact permutation test over many statistics at once."""

"""The process that follows serving logs: files into windows, windows into verdicts, verdicts to who acts on them."""

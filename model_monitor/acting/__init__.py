"""What is done about a model that is served: rolled back, trained anew, tuned, given another baseline."""

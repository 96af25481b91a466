"""ExampleJoiner: the Examples of several windows as one data set."""

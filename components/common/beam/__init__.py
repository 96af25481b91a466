"""How Beam does the work of a component: without a pipeline, on parts of files, into files of a bounded size."""

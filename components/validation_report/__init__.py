"""ValidationReport: everything that a run found out, as one page of HTML that needs nothing besides itself."""

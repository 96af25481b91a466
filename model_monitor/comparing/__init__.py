"""Two runs or two spans side by side: what each has to show, the differences, tables and a page."""

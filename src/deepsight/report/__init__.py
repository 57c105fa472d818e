"""The report: stored tables, drawn."""

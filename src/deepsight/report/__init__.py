"""The report: renders the stored tables of a run as one HTML page."""

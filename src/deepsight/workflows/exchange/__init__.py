"""Export of findings to other tools, and import of decisions: one file per format."""

"""Findings out to other tools, and decisions back: one file per format."""

"""Levers: what a person could do about the errors, each tried on this model against a control."""

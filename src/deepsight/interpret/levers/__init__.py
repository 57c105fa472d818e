"""Levers: possible actions against the errors, each tried on this model against a control."""

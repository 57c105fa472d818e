"""Conditions on a run that a pipeline checks, and reports of them that CI systems show."""

"""Examinations of external models and of files of predictions, each in a run folder."""

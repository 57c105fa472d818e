"""Gates: conditions on a run that a pipeline checks, and their reports for CI systems."""

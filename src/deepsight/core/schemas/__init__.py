"""Schemas of the stored files of a run. A run may come from a stranger, so it is checked before use."""

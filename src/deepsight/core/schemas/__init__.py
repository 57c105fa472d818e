"""Schemas of the stored files of a run. A run may come from somebody else, so it is checked before use."""

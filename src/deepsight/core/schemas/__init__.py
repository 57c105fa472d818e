"""What the stored files of a run hold: a run may be a stranger's, so it is checked before it is used."""

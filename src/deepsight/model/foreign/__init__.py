"""Models that other people made, opened from files, by name, or from the user's own code."""

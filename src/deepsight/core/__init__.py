"""Types, statistics and files that all stages share."""

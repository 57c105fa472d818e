"""Types and statistics that every stage shares."""

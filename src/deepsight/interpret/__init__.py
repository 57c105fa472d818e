"""Stage 5: what the model gets wrong, and why."""

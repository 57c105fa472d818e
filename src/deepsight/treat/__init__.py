"""Stage 6: treatments, each measured against a control."""

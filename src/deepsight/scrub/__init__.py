"""Stage 2: splits without leakage, image issues, and the choice of interpolation."""

"""Stage 2: shapes verified, splits without leakage, interpolation chosen on evidence."""

"""Comparisons of runs: two, many, or one before and after its data was cleaned."""

"""Runs beside each other: two, many, or one before and after its data was cleaned."""

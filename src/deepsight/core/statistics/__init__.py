"""Intervals and tests that several findings share. Sources and formulas: docs/methods/statistics.md."""

"""Faults on purpose: commands that are killed, starved or fed with damage, and what became of them.

Shared by tests/faults, which tries a seeded few, and benchmarks/faults, which tries many.
"""

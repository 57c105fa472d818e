"""Readers: one module per format in which people keep labelled images."""

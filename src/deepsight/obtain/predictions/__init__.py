"""Predictions that were made elsewhere: read from a file, matched to images, believed as far as checked."""

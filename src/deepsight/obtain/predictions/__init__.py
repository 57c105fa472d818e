"""External predictions: read from a file, checked, and matched to images."""

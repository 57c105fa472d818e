"""Passes over more images than memory holds: here, on a Ray cluster, or shared by processes."""

"""Passes over more images than fit into memory: in this process, on a Ray cluster, or shared by processes."""

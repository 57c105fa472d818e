"""Layers that compute the same as those of PyTorch, faster on small maps."""

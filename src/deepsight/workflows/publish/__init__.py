"""Passing on a trained model: as one file, with its model card, and on a hub."""

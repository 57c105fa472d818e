"""Predictions for new images, their nearest training images, and their unfamiliarity."""

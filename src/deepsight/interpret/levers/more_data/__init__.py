"""More data: what it would gain, over all images, by class and by neighbourhood of the feature space."""

"""The audit of a data set: faults of images, labels and splits, found without training a model."""

"""The audit of a data set: what is wrong with images, labels and splits, before anything is trained."""

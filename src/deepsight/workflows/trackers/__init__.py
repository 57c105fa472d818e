"""Logs a run to experiment trackers: MLflow, TensorBoard, Weights & Biases."""

"""A run in the experiment trackers that people use: MLflow, TensorBoard, Weights & Biases."""

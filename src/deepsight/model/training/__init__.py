"""The training of a model: a linear probe, then fine-tuning."""

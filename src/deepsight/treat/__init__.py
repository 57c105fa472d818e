"""Treatments: changes of the training, each measured against a control."""

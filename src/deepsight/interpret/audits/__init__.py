"""Findings about how a foreign model is used, which come before findings about the model."""

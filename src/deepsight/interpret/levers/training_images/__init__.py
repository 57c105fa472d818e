"""Training images: whose removal moves an error, and the gain from leaving out suspects."""

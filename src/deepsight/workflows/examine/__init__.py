"""Models that other people made, and their predictions: examined, each in a run folder."""

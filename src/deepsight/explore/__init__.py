"""Stage 3: describes the data, and states hypotheses about the model before it is trained."""

"""Stage 3: what the data looks like, and what is expected of a model before there is one."""

"""Stage 1: data from ordered sources, with its integrity proved."""

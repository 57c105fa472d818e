"""A training that is over in a second."""

from deepsight.core.recipe import Recipe

SMALL = Recipe(resolution=32, epochs=2.0, views=2, batch=32, seed=3)

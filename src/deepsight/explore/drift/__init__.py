"""How new images differ from those that a model was tested on: properties, features, predicted classes."""

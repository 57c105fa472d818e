"""Tables that list images and their labels."""

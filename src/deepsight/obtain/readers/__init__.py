"""One file per way in which people keep labelled images."""

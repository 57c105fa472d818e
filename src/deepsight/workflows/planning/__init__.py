"""What a study can do in its minutes on this machine, and how it keeps to them."""

"""Files: whole or absent, locked, listed with digests, read and written with care."""

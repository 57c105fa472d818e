"""Safe files: atomic writes, locks, manifests with digests, and readers for untrusted input."""

"""Training images: whose absence moves an error, and what leaving suspects out gains."""

"""Labels for new images: one file per question that is asked of them, and what they are compared with."""

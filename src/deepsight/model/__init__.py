"""Stage 4: an ImageNet backbone, a frozen phase, then fine-tuning of the deepest stages."""

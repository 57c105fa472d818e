"""Stage 6: try treatments and measure each against a control."""

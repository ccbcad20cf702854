"""Training: one readable function per stage, on rows that carry exact tokens and masks. TRL does the optimising."""

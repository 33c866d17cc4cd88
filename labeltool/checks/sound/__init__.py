"""What is computed of recordings and kept: measured values, landmarks, and who has sound in common with whom."""

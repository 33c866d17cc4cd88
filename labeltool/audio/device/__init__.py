"""The frontend as a device computes it: its arithmetic and its tables, to the bit."""

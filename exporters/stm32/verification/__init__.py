"""Proof that the C computes what the laptop computes: golden vectors, validation set, emulated devices.

Uses `codegen` and `tflite`.
"""

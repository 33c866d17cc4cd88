"""Checks that the package's C computes the same as labeltool: golden vectors, validation set, emulated devices.

Imports `codegen` and `tflite`.
"""

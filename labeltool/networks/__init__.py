"""Keras architectures: building, saving, int8 conversion, scoring patches and clips, calibration.

Takes and returns arrays; imports `audio`, and neither the store nor the project.
"""

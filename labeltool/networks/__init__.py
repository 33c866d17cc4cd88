"""Keras architectures: building, saving, int8 conversion, scoring patches and clips, calibration.

Uses audio; arrays in and arrays out, knows neither the store nor the project.
"""

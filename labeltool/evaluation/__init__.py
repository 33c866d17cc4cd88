"""Metrics, measuring a model as float and as int8, report files and plots.

Uses networks and inference; selects and trains nothing.
"""

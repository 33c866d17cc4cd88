"""Metrics, a model measured as float and as int8, report files and plots.

Uses networks and inference; chooses and trains nothing.
"""

"""Small helpers without a subject of their own: locks, a stage clock, the microsecond grid.

Uses errors and type aliases only.
"""

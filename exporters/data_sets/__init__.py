"""Data sets of sound files: labelled sound cut to files, and the layouts that others read."""

"""Checks of a data set: what is wrong, or likely wrong, with its sounds, its labels and its groups.

`registry.CHECKS` lists them; each is a function in a module of its own that returns `Finding`s. `run.py` runs them.
"""

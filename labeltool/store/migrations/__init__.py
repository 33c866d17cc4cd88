"""The numbered migrations of `labels.db`, one module each.

The SQL of a released migration is never edited, words of its time included: the next change is a new module.
"""

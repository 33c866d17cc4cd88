"""Checks of labels: those that are probably wrong, twins, spellings, counts, annotators who differ."""

"""Unlabelled clips to train on: which ones, their estimated labels, and what a teacher model predicts for them."""

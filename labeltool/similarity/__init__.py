"""Nearest neighbours, clusters and a map of clips.

Uses inference, pretrained and the store; trains nothing.
"""

"""Similar clips: nearest neighbours, clusters and a map.

Uses inference, pretrained and the store; trains nothing.
"""

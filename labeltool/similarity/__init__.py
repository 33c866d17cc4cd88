"""Similar clips: nearest neighbours, clusters and a map; and the events of a label, found from a few examples.

Uses inference, pretrained and the store; trains no network.
"""

"""The views: Label, Batch review, Review, Browse, Clusters, Regions, Class mapping and the dialogs.

Uses widgets, background and media.
"""

"""Products: what leaves a project, each a folder with a manifest of SHA-256 sums, whole or absent.

`registry` lists them. They read the store and a model and use nothing of the labelling app.
"""

"""Products: what leaves a project, each a folder with a manifest of SHA-256 sums, whole or absent.

`registry` names them. They read the store and a model; they know nothing of the screen.
"""

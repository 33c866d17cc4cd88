"""Long work in a process of its own, and the workflows that join rooms: retrain, evaluate, simulate.

Uses every room but the command line, the app, importers and exporters, which it opens by name.
"""

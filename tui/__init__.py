"""The labelling app: a Textual app over the store. It writes through the journal and does not load TensorFlow."""

from labeltool.tui.launch import run, serve

__all__ = ["run", "serve"]

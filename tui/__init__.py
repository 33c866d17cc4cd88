"""The labelling room: a Textual app over the store. It writes through the journal and loads no TensorFlow."""

from labeltool.tui.launch import run, serve

__all__ = ["run", "serve"]

"""The app in a browser: the server, the app process of each page, the sound that the page plays, and the page."""

from labeltool.tui.serve.server import serve_app

__all__ = ["serve_app"]

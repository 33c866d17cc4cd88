"""The widgets of the screens, one a file.

Uses media; depends on no screen.
"""

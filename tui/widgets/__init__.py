"""Parts of the screen, one a file.

Uses media; knows no screen.
"""

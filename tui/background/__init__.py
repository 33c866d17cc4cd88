"""Work in the background: tasks in child processes, store reads on a thread, and clips that are prepared ahead.

Uses media and the core; depends on no screen and no widget.
"""

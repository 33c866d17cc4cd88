"""Work beside the screen: tasks in child processes, store reads on a thread, clips prepared ahead.

Uses media and the core; knows no screen and no widget.
"""

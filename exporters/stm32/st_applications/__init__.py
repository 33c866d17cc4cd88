"""A folder for each of ST's audio applications: configuration, tables, and how they go into the application.

Facts come from ST's public sources; nothing of them is copied.
"""

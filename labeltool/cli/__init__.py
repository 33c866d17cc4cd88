"""The command line, one module for each group of commands.

The only place that knows every room; each is imported inside the command that needs it.
"""

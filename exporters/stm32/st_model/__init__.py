"""The network in the form that ST's own applications feed and read, and their front end.

Imports `codegen` and `tflite`.
"""

"""The network in the form that ST's own applications feed and read, and their frontend.

Imports `codegen` and `tflite`.
"""

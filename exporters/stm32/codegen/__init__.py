"""C sources and headers: frontend tables, the network, ST's configuration.

Imports `tflite` only.
"""

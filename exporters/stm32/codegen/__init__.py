"""C sources and headers: frontend tables, the network, ST's configuration.

Uses `tflite`.
"""

"""C sources and headers: frontend tables, the network, rules, microphone filters, ST's mel tables.

Imports `tflite` only.
"""

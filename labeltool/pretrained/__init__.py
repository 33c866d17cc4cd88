"""Borrowed ears: pre-trained networks from samples to class scores and, where they have one, an embedding.

`card.py` is what is known of one, `introducing.py` finds it out, `ear.py` hears with it, `shelf.py` keeps those of a
project, `fetching.py` gets published ones. `runtimes.py` opens the files: `tflite.py`, `onnx.py`, `openvino.py`.
Strangers' files are data: their tables are read before a runtime sees them, and a runtime sees them in a child process.
"""

"""Pretrained models: networks from samples to class scores and, where they have one, an embedding.

`card.py` describes one, `probe.py` makes its card by a trial, `model.py` runs it, `registry.py` keeps those of a
project, `download.py` gets published ones. `runtimes/` reads the files: TensorFlow Lite, ONNX, OpenVINO. Files from
outside are data: their tables are read before a runtime opens them, and a runtime opens them in a child process.
"""

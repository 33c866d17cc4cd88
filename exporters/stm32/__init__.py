"""The package that STM32Cube.AI and ST's audio applications take.

`package` writes it, from `codegen` (C and headers), `tflite` (the int8 model) and `verification`.
"""

"""The package for STM32Cube.AI and ST's audio applications.

`package` writes it with `codegen` (C and headers), `tflite` (the int8 model) and `verification` (its checks).
"""

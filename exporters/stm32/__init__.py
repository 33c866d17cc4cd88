"""The package for STM32Cube.AI and ST's audio applications.

`package` writes it: `package_c` the C, `package_texts` the README and `docs/` from `texts/`. `tflite` reads the int8
model, `codegen` makes C and headers of it, `csrc` has the C that is the same for all models, `st_model` makes the model
for ST's applications and `st_applications` their folders, `verification` checks it all.
"""

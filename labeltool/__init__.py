"""labeltool: from a folder of recordings to a sound detector on a microcontroller.

The core of the tool. The rooms around it live at the top of the repository and are imported as
`labeltool.importers`, `labeltool.exporters` and `labeltool.tui`.
"""

__version__ = "0.1.0"

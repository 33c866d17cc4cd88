"""The int8 model for TFLite runtimes: the network, its labels, and its card, for programs and for people."""

from __future__ import annotations

from pathlib import Path

from labeltool.errors import LabeltoolError
from labeltool.exporters.model_readme import README, readme
from labeltool.exporters.source import Source
from labeltool.networks.model_folder import CARD, INT8, LABELS


def write(source: Source, directory: Path) -> None:
    """Copy `model_int8.tflite`, `labels.txt` and `card.json` of the model, and write its `README.md`."""
    (directory / INT8).write_bytes(source.model.int8)
    for name in (LABELS, CARD):
        path = source.model.directory / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise LabeltoolError(
                "cannot be read", file=path, remedy="retrain: the model's folder is damaged"
            ) from error
        (directory / name).write_bytes(content)
    (directory / README).write_text(readme(source), encoding="utf-8", newline="\n")

"""A trained model's folder: what is in it, written whole, read back without running anything from it.

```
models/<id>/  card.json  labels.txt  model.keras  model_int8.tflite  seen.csv
```

`card.json` says everything a reader needs: architecture, frontend (with its fingerprint), labels in the order of the
outputs and which of them is none (`background`), how patches become a clip's answer, metrics, versions. `seen.csv`
lists the clips it was taught or checked on, and the groups its ancestors of a warm start were taught on.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeltool.audio.frontend import Frontend
from labeltool.errors import LabeltoolError
from labeltool.networks.postprocessing import ClipRule
from labeltool.records import StoredClip

CARD = "card.json"
KERAS = "model.keras"
INT8 = "model_int8.tflite"
LABELS = "labels.txt"
SEEN = "seen.csv"

CARD_VERSION = 1


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's folder, its card read and checked.

    Attributes
    ----------
    labels
        Names in the order of the network's outputs.
    rule
        Makes a clip's answer, calibrated, of its patches'.
    background
        The one of `labels` that is no label of the project but what "none of these" trained; None without one.
    """

    directory: Path
    card: dict[str, Any]
    frontend: Frontend
    labels: tuple[str, ...]
    rule: ClipRule
    background: str | None = None

    @property
    def ear(self) -> str:
        """Name of the borrowed ear that makes the frontend's frames; "" where none does."""
        return str((self.card.get("hears_by") or {}).get("name", ""))

    @property
    def int8(self) -> bytes:
        """The int8 model, as TFLite; checked against the card, which says what its bytes are."""
        path = self.directory / INT8
        content = _read_bytes(path)
        if hashlib.sha256(content).hexdigest() != self.card.get("int8_sha256"):
            raise LabeltoolError("is not the file its card speaks of", file=path, remedy="damaged? `labeltool retrain`")
        return content

    def names_today(self, today: Mapping[str, str]) -> list[str]:
        """Return what each output is called now, given the labels that were renamed since, old name to new."""
        return [name if name == self.background else today.get(name, name) for name in self.labels]

    def groups_learnt(self) -> set[str]:
        """Return the groups whose answers shaped the weights, its ancestors' of a warm start too."""
        return {row["group"] for row in self._seen() if row["part"] in ("train", "inherited")}

    def groups_pooled(self) -> set[str]:
        """Return the groups that shaped the weights, or its ancestors', before their answers were known."""
        return {row["group"] for row in self._seen() if row["part"] in ("pool", "inherited pool")}

    def groups_checked(self) -> set[str]:
        """Return the groups it was validated on, of whose answers no ancestor has learnt."""
        return {row["group"] for row in self._seen() if row["part"] == "validation"}

    def groups_seen(self) -> set[str]:
        """Return the groups of every clip it, or an ancestor, was taught on, and of those it was checked on."""
        return {row["group"] for row in self._seen()}

    def _seen(self) -> list[dict[str, str]]:
        path = self.directory / SEEN
        try:
            with path.open(encoding="utf-8", newline="") as file:
                return [{"group": row["group"], "part": row["part"]} for row in csv.DictReader(file)]
        except (OSError, ValueError, KeyError, csv.Error) as error:
            raise LabeltoolError("cannot be read", file=path, remedy="the model's folder is not whole") from error


def read(directory: Path) -> ModelFiles:
    """Read a model's folder.

    Raises
    ------
    LabeltoolError
        When the card is missing, damaged, from a newer version, or its frontend is not the one its fingerprint names.
    """
    path = directory / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabeltoolError("no model card", file=path, remedy="is this a model's folder?") from error
    except ValueError as error:
        raise LabeltoolError(f"is damaged: {error}", file=path) from error
    try:
        if card["card_version"] > CARD_VERSION:
            raise LabeltoolError("was written by a newer labeltool", file=path, remedy="update labeltool")
        frontend = Frontend.from_dict(card["frontend"])
        files = ModelFiles(
            directory=directory,
            card=card,
            frontend=frontend,
            labels=tuple(card["labels"]),
            rule=ClipRule.from_dict(card["clip_rule"]),
            background=card.get("background"),
        )
        if frontend.fingerprint != card["fingerprint"]:
            raise LabeltoolError(
                f"was trained on frontend {card['fingerprint']}; this labeltool computes {frontend.fingerprint}",
                file=path,
                remedy="retrain, or use the version it was made with",
            )
    except (KeyError, TypeError, ValueError) as error:
        raise LabeltoolError(f"is not a model card: {error!r}", file=path) from error
    return files


def write(
    directory: Path,
    *,
    card: dict[str, Any],
    int8: bytes,
    seen: Iterable[tuple[StoredClip, str]],
    parent: ModelFiles | None = None,
) -> dict[str, Any]:
    """Write everything but `model.keras` into a folder that exists; return the card as written.

    Parameters
    ----------
    card
        As in the module's docstring; `card_version` and `int8_sha256` are added.
    seen
        Clips with the part they played: "train", "validation", or "pool" for those that no answer was known of.
    parent
        What a warm start went on from: the groups it learnt from, by their answers or as a pool, are written down too.
    """
    inherited = {"inherited": parent.groups_learnt(), "inherited pool": parent.groups_pooled()} if parent else {}
    told = {"card_version": CARD_VERSION, "int8_sha256": hashlib.sha256(int8).hexdigest(), **card}
    write_card(directory, told)
    (directory / LABELS).write_text("".join(f"{one_line(name)}\n" for name in card["labels"]), encoding="utf-8")
    (directory / INT8).write_bytes(int8)
    with (directory / SEEN).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("recording_sha256", "start_s", "end_s", "group", "part"))
        for clip, part in seen:
            writer.writerow((clip.sha256, clip.start_s, clip.end_s, clip.group, part))
        for part, groups in inherited.items():
            writer.writerows(("", "", "", group, part) for group in sorted(groups))
    return told


def write_card(directory: Path, card: dict[str, Any]) -> None:
    """Write a model's card, whole as `write` returned it."""
    (directory / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def one_line(name: str) -> str:
    r"""Return a label as one line of text: backslashes and control characters escaped (`a\nb`), the rest as it is."""
    return "".join(
        "\\\\" if letter == "\\" else letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LabeltoolError("cannot be read", file=path, remedy="the model's folder is not whole") from error

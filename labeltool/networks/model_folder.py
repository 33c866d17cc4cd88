"""A trained model's folder: its files, written whole, read back without running anything from it.

```
models/<id>/  card.json  labels.txt  model.keras  model_int8.tflite  seen.csv
```

A network with a pretrained trunk has `head.npz`, the float weights of its head, in place of `model.keras`.

`card.json` has everything a reader needs: architecture, frontend (with its fingerprint), labels in the order of the
outputs and which of them is none (`background`), how patches are pooled to a clip, metrics, versions. `seen.csv` lists
the clips it was trained or validated on, and the groups its ancestors of a warm start were trained on.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from labeltool.audio.frontend import Frontend, frontend_from_dict
from labeltool.audio.trunk_frontend import TrunkFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks.model_card import ModelCard, card_from_json
from labeltool.networks.postprocessing import ClipRule
from labeltool.records import StoredClip
from labeltool.util.files.atomic_write import write_text
from labeltool.util.files.bounded_read import MAX_BYTES, MAX_TABLE_BYTES, read_bytes, read_text

CARD = "card.json"
KERAS = "model.keras"
HEAD = "head.npz"
INT8 = "model_int8.tflite"
LABELS = "labels.txt"
SEEN = "seen.csv"

_MAX_MODEL_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's folder, its card read and checked.

    `groups_now` are the groups of today of a group that was changed since the model was trained.
    """

    directory: Path
    card: ModelCard
    frontend: Frontend
    groups_now: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def feature_frontend(self) -> Frontend:
        """The frontend of what is cached of clips to score them: the network's own, or that of its trunk's features."""
        trunk = self.card.trunk
        if trunk is None:
            return self.frontend
        return TrunkFrontend(
            trunk.fingerprint, trunk.channels, trunk.scale, trunk.zero_point, middle_channels=trunk.middle_channels
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Names in the order of the network's outputs."""
        return self.card.labels

    @property
    def rule(self) -> ClipRule:
        """Pools the patches to a clip, calibrated."""
        return self.card.clip_rule

    @property
    def background(self) -> str | None:
        """The one of `labels` that is no label of the project but the class of "none of these"; None without one."""
        return self.card.background

    @property
    def pretrained(self) -> str:
        """Name of the pretrained model whose embeddings are the network's input; "" where there is none."""
        model = self.card.embedding_model
        return model.name or "" if model else ""

    @property
    def int8(self) -> bytes:
        """The int8 model, as TFLite; checked against the hash in the card."""
        path = self.directory / INT8
        content = _read_bytes(path)
        if hashlib.sha256(content).hexdigest() != self.card.int8_sha256:
            raise LabeltoolError(
                "is not the file that its card describes", file=path, remedy="damaged? `labeltool retrain`"
            )
        return content

    def current_labels(self, renamed: Mapping[str, str]) -> list[str]:
        """Return the present name of each output, given the labels that were renamed since, old name to new."""
        return [name if name == self.background else renamed.get(name, name) for name in self.labels]

    def groups_trained_on(self) -> set[str]:
        """Return the groups whose labels it, or an ancestor of a warm start, was trained on."""
        return self._groups("train", "inherited")

    def groups_in_pools(self) -> set[str]:
        """Return the groups that it, or an ancestor, was trained on before they were labelled."""
        return self._groups("pool", "inherited pool")

    def groups_validated_on(self) -> set[str]:
        """Return the groups it was validated on; no ancestor was trained on their labels."""
        return self._groups("validation") - self.groups_trained_on()

    def groups_seen(self) -> set[str]:
        """Return the groups of every clip it, or an ancestor, was trained on, and of those it was validated on."""
        return self._groups("train", "inherited", "pool", "inherited pool", "validation")

    def _groups(self, *parts: str) -> set[str]:
        """Return the groups of some parts by their names of then and of now."""
        path, named = self.directory / SEEN, set[str]()
        try:
            # Row by row: a list of all rows would grow with the clips.
            with io.TextIOWrapper(io.BytesIO(read_bytes(path, MAX_TABLE_BYTES)), "utf-8-sig", newline="") as file:
                named.update(row["group"] for row in csv.DictReader(file) if row["part"] in parts)
        except (OSError, ValueError, KeyError, csv.Error) as error:
            raise LabeltoolError("cannot be read", file=path, remedy="the model's folder is incomplete") from error
        return named.union(*(self.groups_now.get(group, ()) for group in named))


def read(directory: Path, groups_now: Mapping[str, Collection[str]] = MappingProxyType({})) -> ModelFiles:
    """Read a model's folder.

    Raises
    ------
    LabeltoolError
        When the card is missing, damaged, from a newer version, or its frontend does not have its fingerprint.
    """
    path = directory / CARD
    try:
        text = read_text(path)
    except ValueError as error:
        raise LabeltoolError(f"is damaged: {error}", file=path) from error
    except OSError as error:
        raise LabeltoolError("no model card", file=path, remedy="is this a model's folder?") from error
    card = card_from_json(text, file=path)
    try:
        frontend = frontend_from_dict(card.frontend)
        fingerprint = frontend.fingerprint
    except LabeltoolError as error:
        raise LabeltoolError(error.reason, remedy=error.remedy, file=path) from error
    except (TypeError, ValueError, ArithmeticError) as error:
        raise LabeltoolError(f"its frontend cannot be computed: {error}", file=path) from error
    if fingerprint != card.fingerprint:
        raise LabeltoolError(
            f"was trained on frontend {card.fingerprint}; this labeltool computes {fingerprint}",
            file=path,
            remedy="retrain, or use the version it was made with",
        )
    return ModelFiles(directory, card, frontend, groups_now)


def write(
    directory: Path,
    *,
    card: ModelCard,
    int8: bytes,
    seen: Iterable[tuple[StoredClip, str]],
    parent: ModelFiles | None = None,
) -> ModelCard:
    """Write everything but `model.keras` or `head.npz` into a folder that exists; return the card as written.

    Parameters
    ----------
    card
        Gets the hash of the int8 file.
    seen
        Clips with their part: "train", "validation", or "pool" for unlabelled ones.
    parent
        The model that a warm start began from: the groups it was trained on are listed too.
    """
    inherited = {"inherited": parent.groups_trained_on(), "inherited pool": parent.groups_in_pools()} if parent else {}
    written = replace(card, int8_sha256=hashlib.sha256(int8).hexdigest())
    write_card(directory, written)
    (directory / LABELS).write_text(
        "".join(f"{one_line(name)}\n" for name in card.labels), encoding="utf-8", newline="\n"
    )
    (directory / INT8).write_bytes(int8)
    with (directory / SEEN).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("recording_sha256", "start_s", "end_s", "group", "part"))
        for clip, part in seen:
            writer.writerow((clip.sha256, clip.start_s, clip.end_s, clip.group, part))
        for part, groups in inherited.items():
            writer.writerows(("", "", "", group, part) for group in sorted(groups))
    return written


def write_card(directory: Path, card: ModelCard) -> None:
    """Write a model's card; a `LabeltoolError` where it is larger than `read` takes, and nothing is written."""
    text = card.to_json()
    if len(text.encode()) > MAX_BYTES:
        raise LabeltoolError(
            f"the model has {len(card.labels)} labels whose names are too long for its card",
            remedy="`labeltool rename` shortens them",
        )
    write_text(directory / CARD, text, durable=True)


def one_line(name: str) -> str:
    r"""Return a label as one line of text: backslashes and control characters escaped (`a\nb`), the rest as it is."""
    return "".join(
        "\\\\" if letter == "\\" else letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return read_bytes(path, _MAX_MODEL_BYTES)
    except (OSError, ValueError) as error:
        raise LabeltoolError("cannot be read", file=path, remedy="the model's folder is incomplete") from error

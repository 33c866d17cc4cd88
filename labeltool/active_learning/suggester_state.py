"""Which model suggests labels, on how many labels, and how often it is right: screens and commands ask here."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from labeltool.active_learning.accuracy_estimate import TOO_FEW_LABELS, AccuracyEstimate
from labeltool.active_learning.live_classifier import MAX_CLIPS
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.pretrained import registry
from labeltool.project import Project
from labeltool.store import Store, clips, models, progress
from labeltool.store.models import ModelRow
from labeltool.util.files.atomic_write import write_text
from labeltool.util.files.bounded_read import MAX_TOML_BYTES, parse_json, read_text

RENEWED_AFTER = 8
"""A network that suggests is overtaken by the pretrained model's classifier once as many labels are newer."""

_ESTIMATE_FILE = "accuracy_estimate.json"

Kind = Literal["classes", "embeddings", "network"]


@dataclass(frozen=True, slots=True)
class SuggesterState:
    """What suggests labels.

    Attributes
    ----------
    kind
        A pretrained model's own classes, a classifier over its embeddings that is renewed after every label, or a
        network of the project.
    name
        Of the pretrained model, or "model 3".
    labels, pending
        Labelled clips that it was given, and clips that were labelled since.
    accuracy
        The estimate for the clips that are not labelled; None where there is none.
    is_done
        Whether every clip is labelled, so that there is nothing to estimate.
    validation
        Of a network: the share of its validation clips that it predicts rightly, which were chosen to be hard.
    """

    kind: Kind
    name: str
    labels: int
    pending: int = 0
    accuracy: AccuracyEstimate | None = None
    validation: float | None = None
    is_done: bool = False

    @property
    def source(self) -> str:
        """What suggests, on how many labels, in words."""
        if not self.labels:
            return f"{self.name}, no labelled clip yet"
        newer = f", {self.pending} newer" if self.pending else ""
        return f"{self.name}, {self.labels:,} labelled {'clip' if self.labels == 1 else 'clips'}{newer}"

    @property
    def accuracy_text(self) -> str:
        """How often it is right, in words."""
        if self.accuracy is not None:
            return str(self.accuracy)
        if self.kind != "network":
            return "" if self.is_done else TOO_FEW_LABELS
        return "" if self.validation is None else f"{self.validation:.0%} of its validation clips right"

    def __str__(self) -> str:
        return "; ".join(filter(None, (self.source, self.accuracy_text)))

    def to_json(self) -> dict[str, Any]:
        """Return what `status --json` prints of it."""
        estimate = self.accuracy.to_json() if self.accuracy else None
        return {"kind": self.kind, "name": self.name, "labels": self.labels, "pending": self.pending, "rest": estimate}


def suggester_state(project: Project, store: Store) -> SuggesterState | None:
    """Return what suggests labels in the app now, as far as the store knows it; None before there is anything."""
    row, name = models.suggester(store), live_pretrained(project, store)
    if name is not None:
        labels = len(clips.last_labelled(store, MAX_CLIPS))
        is_done = not clips.has_unlabelled(store)
        accuracy = None if is_done else read_estimate(project, name)
        kind: Kind = "embeddings" if labels else "classes"
        return SuggesterState(kind, name, labels, accuracy=accuracy, is_done=is_done)
    return None if row is None else _stored_state(row, progress.count_labelled_since(store, row.journal_mark))


def stored_source(store: Store, model_id: int) -> str:
    """Return what made the suggestions in the store, on how many labels, in words."""
    row = models.suggester(store)
    return f"model {model_id}" if row is None or row.id != model_id else _stored_state(row).source


def live_pretrained(project: Project, store: Store) -> str | None:
    """Return the pretrained model whose classifier suggests in the app; None where there is none or a network does.

    A network does once it was measured to be better, as long as it is not many labels behind.
    """
    name = project.settings.learning.pretrained
    if name is None or name not in registry.names(project):
        return None
    row = models.suggester(store)
    if (
        row is None
        or row.pretrained is not None
        or progress.count_labelled_since(store, row.journal_mark) >= RENEWED_AFTER
    ):
        return name
    newest = models.latest(store)
    with suppress(LabeltoolError):
        worse = model_folder.read(project.models / str((newest or row).id)).card.worse_pretrained
        if worse is not None and worse.pretrained == name and worse.is_worse:
            return None
    return name


def read_estimate(project: Project, pretrained: str) -> AccuracyEstimate | None:
    """Return the estimate that the app made last for a pretrained model's classifier."""
    import msgspec

    with suppress(OSError, ValueError):
        stored = parse_json(read_text(project.own_cache / _ESTIMATE_FILE, MAX_TOML_BYTES))
        if isinstance(stored, dict) and stored.get("pretrained") == pretrained:
            return msgspec.convert(stored.get("estimate"), AccuracyEstimate | None)
    return None


def write_estimate(project: Project, pretrained: str, estimate: AccuracyEstimate | None) -> None:
    """Keep an estimate for `read_estimate`; where it cannot be written, the next one is."""
    text = json.dumps({"pretrained": pretrained, "estimate": estimate.to_json() if estimate else None})
    with suppress(OSError, LabeltoolError):
        write_text(project.cache / _ESTIMATE_FILE, text)


def _stored_state(row: ModelRow, pending: int = 0) -> SuggesterState:
    if row.pretrained is not None:
        return SuggesterState("embeddings", row.pretrained, row.labels_seen, pending)
    return SuggesterState("network", f"model {row.id}", row.labels_seen, pending, validation=row.clip_accuracy)

"""Exports into the project's folder, and models for tests that run no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.progress import silent
from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters import registry
from labeltool.exporters.registry import ExportResult
from labeltool.networks import model_folder
from labeltool.networks.model_card import Measured, ModelCard
from labeltool.networks.postprocessing import ClipRule
from labeltool.project import Project
from labeltool.store import models
from labeltool.store.journal import newest_id


def export(
    project: Project,
    *products: str,
    force: bool = False,
    model_id: int | None = None,
    st_applications: Sequence[str] = (),
    as_of: str | None = None,
) -> ExportResult:
    return registry.export(
        project,
        report=silent,
        products=list(products),
        model_id=model_id,
        output=str(project.exports),
        force=force,
        st_applications=st_applications,
        as_of=as_of,
    )


def bytes_of(directory: Path) -> dict[str, bytes]:
    contents = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert contents, f"{directory} is empty"
    return contents


def metrics(labels: tuple[str, ...], clip_accuracy: float = 0.9, int8_clip_accuracy: float = 0.9) -> Measured:
    """Return the metrics of a model of which only the accuracies matter."""
    return Measured(
        labels=labels,
        head="softmax",
        clips=10,
        clip_accuracy=clip_accuracy,
        label_accuracy=clip_accuracy,
        patch_accuracy=clip_accuracy,
        int8_clip_accuracy=int8_clip_accuracy,
        int8_label_accuracy=int8_clip_accuracy,
        int8_patch_agreement=1.0,
        ece=0.0,
        int8_ece=0.0,
        log_loss=0.3,
        unknown=0.0,
        by_label=(),
        confusion=(),
        int8_confusion=(),
        reliability=(),
        int8_reliability=(),
    )


def model_card(labels: tuple[str, ...] = ("dog", "rain"), **values: Any) -> ModelCard:
    """Return the card of a measured model with the default frontend; `values` replace its fields."""
    frontend = LogMelFrontend()
    fields: dict[str, Any] = {
        "architecture": "miniresnet",
        "labels": labels,
        "labels_seen": 2,
        "frontend": frontend.to_dict(),
        "fingerprint": frontend.fingerprint,
        "clip_rule": ClipRule(),
        "measured": metrics(labels),
        **values,
    }
    return ModelCard(**fields)


def add_model(
    project: Project, *, labels: tuple[str, ...] = ("dog", "rain"), int8: bytes = b"int8", **values: Any
) -> int:
    """Add a model to a project and return its id; its network is not run. `values` replace fields of its card."""
    card = model_card(labels, **values)
    model = models.NewModel(
        card.architecture, card.to_json(), card.labels_seen, card.clip_accuracy, card.int8_clip_accuracy
    )

    def publish(model_id: int) -> None:
        directory = project.models / str(model_id)
        directory.mkdir()
        model_folder.write(directory, card=card, int8=int8, seen=[])

    with project.open_store() as store:
        return models.add(store, model, parent_id=None, journal_mark=newest_id(store), publish=publish)

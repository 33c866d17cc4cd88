"""Training, and what the model then says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labeltool.commands.common import current_project, emit, json_option, narrate, project_option, run_in_child, shown

model_option = click.option("--model", "model_id", type=int, metavar="ID", help="Which model; else the newest.")


@click.command()
@click.option(
    "--arch",
    metavar="NAME",
    help="Architecture: miniresnet, miniresnet2, miniresnetv2, miniresnetv2_2, yamnet256; else as in labeltool.toml.",
)
@click.option("--from-scratch", is_flag=True, help="Start anew, not from the last model.")
@click.option("--test-fold", type=int, metavar="K", help="Keep this fold unseen, for `evaluate --fold K`.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same machine, same model.")
@click.option("--budget", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Train about so long.")
@click.option(
    "--teacher",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="A .tflite network from 16 kHz sound to embeddings (YAMNet, say): it labels what nobody has.",
)
@click.option("--teacher-tensor", type=int, metavar="N", help="Its embedding, as Netron numbers tensors; else guessed.")
@click.option(
    "--backbone",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Start from these pre-trained weights, .keras or .h5, where there is no model to go on from.",
)
@project_option
@json_option
def retrain(
    arch: str | None,
    from_scratch: bool,
    test_fold: int | None,
    seed: int,
    budget: float | None,
    teacher: str | None,
    teacher_tensor: int | None,
    backbone: str | None,
    as_json: bool,
) -> None:
    """Train on all that is labelled, and on what is not by the model's own word; then suggest labels for the rest."""
    if teacher_tensor is not None and teacher is None:
        raise click.UsageError("--teacher-tensor speaks of the file that --teacher names")
    project = current_project()
    result = run_in_child(
        project,
        "retrain",
        arch=arch or project.settings.architecture,
        from_scratch=from_scratch,
        test_fold=test_fold,
        seed=seed,
        budget_s=budget,
        teacher=teacher,
        teacher_tensor=teacher_tensor,
        backbone=backbone,
    )
    if as_json:
        emit(result)
        return
    waiting = f" and {result['pool_clips']} without an answer" if result["pool_clips"] else ""
    narrate(
        f"model {result['model']} ({result['arch']}, {result['parameters']:,} parameters) learnt from "
        f"{result['labels_seen']} clips{waiting} in {result['seconds']:.0f} s"
    )
    _tell_accuracy(result, "validation clips right")


@click.command()
@model_option
@project_option
@json_option
def suggest(model_id: int | None, as_json: bool) -> None:
    """Score every clip: for the queue of the labelling room, and to review what was said."""
    result = run_in_child(current_project(), "suggest", model_id=model_id)
    if as_json:
        emit(result)
    else:
        narrate(f"model {result['model']} suggests labels for {result['suggestions']} clips without one")


@click.command()
@model_option
@click.option("--fold", type=int, metavar="K", help="On fold K, which the model must not have seen.")
@click.option("--cross-validate", is_flag=True, help="Train once for each fold, from scratch, and test on it.")
@click.option("--seed", type=int, default=0, show_default=True, help="For --cross-validate.")
@project_option
@json_option
def evaluate(model_id: int | None, fold: int | None, cross_validate: bool, seed: int, as_json: bool) -> None:
    """Measure a model on labelled clips that it has not learnt from, as float and as int8."""
    if cross_validate and (fold is not None or model_id is not None):
        raise click.UsageError("--cross-validate trains its own models on its own folds")
    result = run_in_child(
        current_project(), "evaluate", model_id=model_id, fold=fold, cross_validate=cross_validate, seed=seed
    )
    if as_json:
        emit(result)
        return
    for one in result.get("folds", ()):
        click.echo(f"fold {one['fold']}: {one['clip_accuracy']:.1%}, int8 {one['int8_clip_accuracy']:.1%}")
    _tell_accuracy(result, f"of {result['clips']} clips right")
    _show_confusion(result["labels"], result["confusion"])


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", metavar="ID or PATH", help="A model's id, or a folder with card.json; else the newest.")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="So many labels.")
@project_option
@json_option
def classify(files: tuple[Path, ...], model: str | None, top: int, as_json: bool) -> None:
    """Say what is heard in sound files, by the int8 model, as the chip would."""
    from_folder = model is not None and not (model.isascii() and model.isdigit())
    result = run_in_child(
        None if from_folder else current_project(),
        "classify",
        files=[str(file) for file in files],
        model_id=int(model) if model and not from_folder else None,
        folder=str(Path(model).resolve()) if model and from_folder else None,
        top=top,
    )
    if as_json:
        emit(result["files"][0] if len(files) == 1 else result)
        return
    for one in result["files"]:
        click.echo(one["file"])
        for score in one["scores"]:
            click.echo(f"  {score['score']:.2f}  {score['label']!r}")


def _tell_accuracy(result: dict[str, Any], of_what: str) -> None:
    if result["clip_accuracy"] is None:
        narrate("too few clips to hold some back: accuracy not measured")
        return
    narrate(f"{result['clip_accuracy']:.1%} {of_what}; as int8, {result['int8_clip_accuracy']:.1%}")


def _show_confusion(labels: list[str], confusion: list[list[int]]) -> None:
    names = [shown(label, width=24) for label in labels]
    width = max(len(name) for name in names)
    click.echo(f"{'heard as':>{width}}  " + " ".join(f"{place:>3}" for place in range(len(names))))
    for place, (name, counts) in enumerate(zip(names, confusion, strict=True)):
        click.echo(f"{name:>{width}}  " + " ".join(f"{count or '.':>3}" for count in counts) + f"   {place}")

"""Pretrained models in a project, and classification of sound files by any model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import (
    PathOnDisk,
    Whole,
    current_project,
    emit,
    exit_for_failed,
    narrate,
    print_damaged,
    print_failed,
    project_of_model,
    project_option,
    project_options,
    quoted,
    run_task,
    with_names,
)
from labeltool.errors import in_one_line
from labeltool.util.urls import as_url

if TYPE_CHECKING:
    from labeltool.pretrained.registry import AddResult
    from labeltool.tasks.registry import Task

_SCORES = {
    "none": "scores are probabilities",
    "sigmoid": "scores are logits, each class with its own probability (sigmoid)",
    "softmax": "scores are logits of one class a window (softmax)",
}

any_model_option = click.option(
    "--model",
    metavar="ID, NAME or PATH",
    help="A model's id, a pretrained model's name, or its file or folder.  [default: the newest of the project]",
)


class _FetchCommand(click.Command):
    """A command whose help page lists the published models."""

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        from labeltool.pretrained.download import published_models

        with formatter.section("Models"):
            formatter.write_dl([(name, f"{one.title} ({one.licence})") for name, one in published_models().items()])


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PathOnDisk())
@any_model_option
@click.option("--top", type=Whole(min=1), default=3, show_default=True, metavar="N", help="Classes shown.")
@project_options
def classify(files: tuple[Path, ...], model: str | None, top: int, as_json: bool) -> None:
    """Classify sound files by the project's or a pretrained model.

    The project's model is its int8 file, computed bit for bit as on the MCU. Files may be of any duration and format
    that libsndfile reads.

    \b
    labeltool classify clip.wav
    labeltool classify clip.wav --model yamnet --top 5
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.tasks.registry import CLASSIFY

    project = project_of_model(model)
    result = run_task(project, CLASSIFY, files=[as_url(file) for file in files], model=model, top=top)
    if as_json:
        emit(result.files[0] if len(files) == 1 and result.files else result)
    else:
        for one in result.files:
            click.echo(in_one_line(one.file) + ("  (no label reaches the threshold)" if one.predicted == () else ""))
            for score in one.scores:
                click.echo(in_one_line(f"Category: {score.label}, index: {score.index}, score: {score.score:.2f}"))
    print_damaged(result.files)
    print_failed(result.failed, len(files))
    exit_for_failed(result.failed)


@click.group()
def model() -> None:
    """Add pretrained models: TensorFlow Lite, ONNX, OpenVINO.

    They classify files, suggest labels and are teachers for the project's own model.

    \b
    labeltool model fetch yamnet
    labeltool classify clip.wav --model yamnet
    labeltool retrain --teacher yamnet
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace


@model.command()
@click.argument("file", type=click.Path())
@click.option("--name", metavar="NAME", help="Its name in the project.  [default: the file's name]")
@click.option(
    "--labels",
    type=click.Path(),
    metavar="FILE",
    help="Its classes, one a line or a table like YAMNet's.  [default: the list inside the file]",
)
@click.option(
    "--rate", "rate_hz", type=Whole(1000, 400_000), metavar="HZ", help="Sample rate of its input, where FILE has none."
)
@click.option("--window", type=Whole(min=2), metavar="SAMPLES", help="Input length, for a model that takes any length.")
@click.option(
    "--embedding", metavar="TENSOR", help="Its embedding, by name or Netron's number.  [default: found by trying]"
)
@click.option(
    "--frontend",
    type=click.Path(),
    metavar="FILE",
    help="Log-mel frontend of its input: the fields of a model's card, TOML or JSON.",
)
@click.option(
    "--standardise",
    "standardised",
    is_flag=True,
    help="Scale each window to mean 0 and deviation 1, as AclNet expects.",
)
@click.option(
    "--activation",
    type=click.Choice(list(_SCORES)),
    help="What turns its scores into probabilities.  [default: found by trying]",
)
@project_options
def add(as_json: bool, **options: Any) -> None:
    """Add a model file: .tflite, .onnx or OpenVINO's .xml.

    The .bin of an .xml has to be beside it. The model is tried on synthetic sounds in a process of its own; files that
    may contain code are not opened.

    \b
    labeltool model add yamnet.tflite
    labeltool model add BirdNET.tflite --rate 48000 --labels labels.txt
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.tasks.registry import MODEL_ADD

    _add(as_json, MODEL_ADD, **options)


@model.command(cls=_FetchCommand)
@click.argument("name")
@project_options
def fetch(name: str, as_json: bool) -> None:
    """Download a published model and add it to the project.

    It is downloaded once for all of your projects, and verified. A file beside the project or its recordings, whatever
    it is called, is taken instead.

    \b
    labeltool model fetch yamnet
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.pretrained.download import published_models
    from labeltool.tasks.registry import MODEL_FETCH

    current_project()  # a wrong place is reported first
    if (offer := published_models().get(name)) is not None:
        narrate(f"{offer.title} ({offer.licence})")
    _add(as_json, MODEL_FETCH, name=name)


@model.command("list")
@project_options
def list_pretrained(as_json: bool) -> None:
    """List the project's pretrained models."""
    from labeltool.pretrained import registry
    from labeltool.pretrained.card import read_card

    project = current_project()
    cards = {name: read_card(registry.folder(project, name)) for name in registry.names(project)}
    if as_json:
        emit({"ears": [{"name": name, **card.to_dict()} for name, card in cards.items()]})  # promised name
        return
    for name, card in cards.items():
        embedding = "" if card.embedding is None else ", with embeddings"
        window = f"{card.window / card.rate_hz:.2f} s at {card.rate_hz} Hz"
        click.echo(f"{name}  {len(card.classes)} classes, {window}{embedding}")
    if not cards:
        narrate("none yet: `labeltool model fetch yamnet`, `labeltool model add FILE`")


@model.command("map")
@click.argument("name")
@project_options
def map_classes(name: str, as_json: bool) -> None:
    """Map a pretrained model's classes to the project's labels.

    They are matched by name, and by the labels given so far. The result is written to
    `models/pretrained/NAME/mapping.toml`, which is yours to edit: what you write there is kept, other labels are
    matched again each time.

    \b
    labeltool model map yamnet
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.tasks.registry import MODEL_MAP

    result = run_task(current_project(), MODEL_MAP, name=name)
    if as_json:
        labels = [with_names(one, source="from") for one in result.labels]
        emit({**with_names(result, pretrained="ear", skipped="left_out"), "labels": labels})  # promised name
        return
    width = max((len(quoted(one.label)) for one in result.labels), default=0)
    for one in result.labels:
        classes = "; ".join(map(in_one_line, one.classes)) or "nothing"
        click.echo(f"{quoted(one.label):{width}}  {classes}" + (f"  ({one.source})" if one.classes else ""))
    narrate(f"{'written to' if result.written else 'unchanged:'} {result.file}")


@model.command()
@click.argument("name")
@project_option
def remove(name: str) -> None:
    """Remove a pretrained model from the project."""
    from labeltool.pretrained import registry

    registry.remove(current_project(), name)
    narrate(f"removed {name}")


def _add(as_json: bool, task: Task[AddResult], **options: Any) -> None:
    from labeltool.project import choose_pretrained

    project = current_project()
    result = run_task(project, task, **options)
    # The first one added becomes that of the settings.
    suggests = choose_pretrained(project, result.name) or project.settings.learning.pretrained == result.name
    if as_json:
        from dataclasses import asdict

        emit({**asdict(result), "suggests": suggests})
        return
    classes = f"{result.classes} classes, {_SCORES[result.activation]}" if result.classes else "no class list"
    embedding = "no embedding" if result.embedding is None else f"embedding: tensor {result.embedding}"
    narrate(f"{'added' if result.added else 'already there:'} {result.name}: {classes}; {embedding}")
    if suggests:
        narrate(
            "suggests labels, and is the teacher, until the project's own model is better: `pretrained` in "
            "labeltool.toml"
        )
    narrate(f"input: {result.window} samples at {result.rate_hz} Hz ({result.window / result.rate_hz:.2f} s)")

"""Borrowed networks, and what they or one's own hear in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labeltool.cli.common import (
    Progress,
    current_project,
    emit,
    json_option,
    narrate,
    nearby_project,
    project_option,
    run_in_child,
    shown,
)
from labeltool.errors import LabeltoolError, in_one_line

_SCORES = {
    "none": "scores are probabilities",
    "sigmoid": "scores are logits, each class judged for itself (sigmoid)",
    "softmax": "scores are logits of one class a window (softmax)",
}


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--model",
    metavar="ID, NAME or PATH",
    help="A model's id, the name of a borrowed one, or its file or folder; else the newest of the project.",
)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="So many labels.")
@project_option
@json_option
def classify(files: tuple[Path, ...], model: str | None, top: int, as_json: bool) -> None:
    """Say what is heard in sound files: by the int8 model, as the chip would, or by a borrowed one.

    Files may be of any length and format that libsndfile reads.
    """
    own = model is None or (model.isascii() and model.isdigit())
    project = current_project() if own else nearby_project()
    result = run_in_child(project, "classify", files=[str(file) for file in files], model=model, top=top)
    if as_json:
        emit(result["files"][0] if len(files) == 1 else result)
        return
    for one in result["files"]:
        unknown = "" if one.get("heard", one["scores"]) else "  (nothing it knows)"
        click.echo(in_one_line(one["file"]) + unknown)
        for score in one["scores"]:
            told = f"Category: {score['label']}, index: {score['index']}, score: {score['score']:.2f}"
            click.echo(in_one_line(told))


@click.group()
def model() -> None:
    """Borrow networks that others have trained: TensorFlow Lite, ONNX, OpenVINO.

    \b
    labeltool model fetch yamnet
    labeltool classify clip.wav --model yamnet
    labeltool retrain --teacher yamnet
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace


@model.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="What to call it; else as its file is called.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its classes, one a line or a table like YAMNet's; else those inside the file.",
)
@click.option("--rate", type=click.IntRange(1000, 400_000), metavar="HZ", help="The rate it hears at; else as it says.")
@click.option("--window", type=click.IntRange(min=2), metavar="SAMPLES", help="For one that takes any number of them.")
@click.option("--embedding", metavar="TENSOR", help="Its embedding, by name or Netron's number; else guessed.")
@click.option(
    "--frontend",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What it hears through where it takes log-mels: the fields of a model's card, TOML or JSON.",
)
@click.option("--standardise", is_flag=True, help="Give it each window at mean 0 and deviation 1, as AclNet wants.")
@click.option(
    "--activation",
    type=click.Choice(["none", "sigmoid", "softmax"]),
    help="What makes probabilities of its scores; else found by trying.",
)
@project_option
@json_option
def add(
    file: Path,
    name: str | None,
    labels: Path | None,
    rate: int | None,
    window: int | None,
    embedding: str | None,
    frontend: Path | None,
    standardise: bool,
    activation: str | None,
    as_json: bool,
) -> None:
    """Take a network into the project: .tflite, .onnx, or an OpenVINO .xml with its .bin beside it.

    It is tried on made-up sounds in a process of its own; files that may hold code are not opened.
    """
    _add(
        as_json,
        file=str(file),
        name=name,
        labels=str(labels) if labels else None,
        rate_hz=rate,
        window=window,
        embedding=embedding,
        frontend=str(frontend) if frontend else None,
        standardised=standardise,
        activation=activation,
    )


@model.command()
@click.argument("name")
@project_option
@json_option
def fetch(name: str, as_json: bool) -> None:
    """Download a published network, once a user, and take it into the project: yamnet."""
    from labeltool.pretrained import download

    current_project()  # a wrong place is said before anything is downloaded
    known = download.offers()
    if name not in known:
        raise LabeltoolError(f"no published model is called {name!r} here", remedy=f"there are: {', '.join(known)}")
    offer = known[name]
    narrate(f"{offer.title} ({offer.licence})")
    with Progress() as progress:
        path = download.fetch(offer, report=progress)
    _add(as_json, file=str(path), name=name, rate_hz=offer.rate_hz)


@model.command("list")
@project_option
@json_option
def list_ears(as_json: bool) -> None:
    """List the project's borrowed networks."""
    from labeltool.pretrained import registry
    from labeltool.pretrained.card import read_card

    project = current_project()
    cards = {name: read_card(registry.folder(project, name)) for name in registry.names(project)}
    if as_json:
        emit({"ears": [{"name": name, **card.to_dict()} for name, card in cards.items()]})
        return
    for name, card in cards.items():
        embeds = "" if card.embedding is None else ", embeds sounds"
        click.echo(
            f"{name}  {len(card.classes)} classes, {card.window / card.rate_hz:.2f} s at {card.rate_hz} Hz{embeds}"
        )
    if not cards:
        narrate("none yet: `labeltool model fetch yamnet`, `labeltool model add FILE`")


@model.command("map")
@click.argument("name")
@project_option
@json_option
def map_classes(name: str, as_json: bool) -> None:
    """Match a network's classes with the project's labels, and write down what was found.

    By name, and by the answers given so far. `models/ears/NAME/mapping.toml` is yours to edit: what stands there is
    kept, labels that are not there are matched anew each time.
    """
    result = run_in_child(current_project(), "model-map", name=name)
    if as_json:
        emit(result)
        return
    width = max(len(shown(one["label"])) for one in result["labels"])
    for one in result["labels"]:
        classes = "; ".join(in_one_line(told) for told in one["classes"]) or "nothing"
        click.echo(f"{shown(one['label']):{width}}  {classes}" + (f"  ({one['from']})" if one["classes"] else ""))
    narrate(f"{'written to' if result['written'] else 'stands in'} {result['file']}")


@model.command()
@click.argument("name")
@project_option
def remove(name: str) -> None:
    """Take a borrowed network out of the project."""
    from labeltool.pretrained import registry

    registry.remove(current_project(), name)
    narrate(f"removed {name}")


def _add(as_json: bool, **options: Any) -> None:
    from labeltool.project import choose_ear

    project = current_project()
    result = run_in_child(project, "model-add", **options)
    # Settings that say nothing of an ear get the first one.
    result["suggests"] = choose_ear(project, result["name"]) or project.settings.ear == result["name"]
    if as_json:
        emit(result)
        return
    classes = f"{result['classes']} classes, {_SCORES[result['activation']]}" if result["classes"] else "no class list"
    embedding = "no embedding" if result["embedding"] is None else f"embedding: tensor {result['embedding']}"
    narrate(f"{'added' if result['added'] else 'had already'} {result['name']}: {classes}; {embedding}")
    if result["suggests"]:
        narrate("it suggests and teaches until the project's own network does better: `ear` in labeltool.toml")
    narrate(
        f"it hears {result['window']} samples at {result['rate_hz']} Hz ({result['window'] / result['rate_hz']:.2f} s)"
    )

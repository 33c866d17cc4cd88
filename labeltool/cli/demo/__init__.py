"""The whole pipeline on synthetic sounds, each step with the command that does it."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from labeltool.cli import evaluation, export, import_, pretrained, training
from labeltool.cli import project as cli_project
from labeltool.cli.common import narrate, use_project
from labeltool.errors import LabeltoolError
from labeltool.util.files.no_links import refuse_links


@click.command()
@click.argument("directory", metavar="[DIR]", default="labeltool-demo", type=click.Path(path_type=Path))
@click.option("--sounds-only", is_flag=True, help="Write the sounds and their labels to DIR/sounds, no more.")
@click.pass_context
def demo(context: click.Context, directory: Path, sounds_only: bool) -> None:
    """Run the whole pipeline on synthetic sounds.

    It imports, trains, suggests, evaluates and exports. Run again in the same DIR, it keeps the labels given there and
    trains on them.
    """
    from labeltool.cli.demo.sounds import make_world
    from labeltool.importers.registry import FORMATS
    from labeltool.networks.architectures import DEFAULT_ARCHITECTURE, require_training
    from labeltool.project import load, write_setting
    from labeltool.util.files.project_names import DATABASE_FILE

    if not sounds_only:
        require_training(DEFAULT_ARCHITECTURE)
    # After `make demo` the tool is in the virtual environment alone: name it so that the line can be pasted.
    program = "labeltool" if shutil.which("labeltool") else sys.argv[0]

    def step(command: click.Command, arguments: list[str], **parameters: object) -> None:
        narrate("", f"$ labeltool {shlex.join(arguments)}")
        context.invoke(command, **parameters)

    directory = directory.resolve()
    project = directory / "project"
    refuse_links(project)
    narrate("Synthesising a bearing, a bird, knocking, a phone, rain and a siren ...")
    world = make_world(directory / "sounds")
    if sounds_only:
        narrate(f"wrote {directory / 'sounds'}: labelled clips, a recording with a label track, clips without labels")
        return
    if not (project / DATABASE_FILE).exists():
        step(cli_project.init, ["init", str(project)], directory=project)
        write_setting(load(project), "app", "tour", True)
    use_project(context, project)
    at = ["--project", str(project)]
    for name, source in (("esc50", world.esc_style), ("audacity", world.track), ("audio", world.pool)):
        step(import_.format_command(FORMATS[name]), [*at, "import", name, str(source)], sources=(source,))
    step(training.retrain, [*at, "retrain"])
    step(evaluation.evaluate, [*at, "evaluate"])
    products = {"splits": True, "int8": True, "stm32": True}
    step(export.export, [*at, "export", *(f"--{name}" for name in products)], **products)
    step(cli_project.status, [*at, "status"])
    _offer_pretrained(context, project)
    narrate(
        "",
        f"The twelve clips in {world.pool} have suggestions but no labels yet. Label them in the app:",
        "",
        f"    {shlex.quote(program)} --project {shlex.quote(str(project))} label",
        "",
        "A tour of one minute shows its keys: Enter accepts the first suggestion, each label has a key, u is undo.",
        "Then run `labeltool retrain` and `labeltool export --stm32` again.",
    )


def _offer_pretrained(context: click.Context, project: Path) -> None:
    """Offer a pretrained model to who sits at a terminal, by one key; without a network everything works without it."""
    from labeltool.pretrained.download import published_models
    from labeltool.pretrained.registry import folders

    if folders(project / "models") or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    model = published_models()["yamnet"]
    size = f"{model.bytes / 1e6:.0f} MB, {model.licence}"
    narrate("", f"y fetches YAMNet ({size}), which suggests labels; any other key goes on without it.")
    if click.getchar().lower() != "y":
        return
    try:
        context.invoke(pretrained.fetch, name="yamnet", as_json=False)
    except LabeltoolError as error:
        narrate(f"{error}; everything works without it")

"""The whole path on made-up sounds, each step with the command that does it."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from labeltool.cli import export, import_, training
from labeltool.cli import project as cli_project
from labeltool.cli.common import narrate, use_project


@click.command()
@click.argument("directory", metavar="[DIR]", default="labeltool-demo", type=click.Path(path_type=Path))
@click.pass_context
def demo(context: click.Context, directory: Path) -> None:
    """Walk the whole path on sounds made up on the spot: import, train, suggest, export; then label on.

    Made again in the same DIR it keeps what was labelled there and learns on.
    """
    from labeltool.cli.demo_sounds import make_world
    from labeltool.project import DATABASE_FILE

    # After `make demo` the tool is in the virtual environment alone: name it so that the line can be pasted.
    program = "labeltool" if shutil.which("labeltool") else sys.argv[0]

    def step(command: click.Command, told: list[str], **parameters: object) -> None:
        narrate("")
        narrate(f"$ labeltool {shlex.join(told)}")
        context.invoke(command, **parameters)

    narrate("Making up a yard with a bearing, a bird, knocking, a phone, rain and a siren ...")
    world = make_world(directory / "sounds")
    project = directory / "project"
    if not (project / DATABASE_FILE).exists():
        step(cli_project.init, ["init", str(project)], directory=project)
    use_project(context, project)
    at = ["--project", str(project)]
    step(import_.esc50, [*at, "import", "esc50", str(world.esc_style)], directory=world.esc_style)
    step(import_.audacity, [*at, "import", "audacity", str(world.track)], files=(world.track,))
    step(import_.pool, [*at, "import", "audio", str(world.pool)], paths=(world.pool,))
    step(training.retrain, [*at, "retrain"])
    step(training.evaluate, [*at, "evaluate"])
    products = {"splits": True, "int8": True, "stm32": True}
    step(export.export, [*at, "export", *(f"--{name}" for name in products)], **products)
    step(cli_project.status, [*at, "status"])
    narrate(
        f"\nThe twelve clips in {world.pool} have no labels yet, only suggestions. Open the labelling room on them:\n\n"
        f"    {shlex.quote(program)} --project {shlex.quote(str(project))} label\n\n"
        "Enter takes the first suggestion, 1-9 the n-th, u takes an answer back, ? shows all keys.\n"
        "Then `labeltool retrain`, and `labeltool export --stm32` again."
    )

"""Products, written out."""

from __future__ import annotations

from pathlib import Path

import click

from labeltool.cli.common import (
    current_project,
    emit,
    json_option,
    narrate,
    nearby_project,
    project_option,
    run_in_child,
)
from labeltool.errors import LabeltoolError


@click.command()
@click.option("--splits", is_flag=True, help="Training, validation and test manifests (CSV); no group is parted.")
@click.option("--int8", is_flag=True, help="The int8 model (TFLite) with labels and card.")
@click.option("--stm32", is_flag=True, help="A package as STM32Cube.AI takes it.")
@click.option("--audacity", is_flag=True, help="A label track (.txt) for each recording.")
@click.option("--transcripts", is_flag=True, help="What was said, as a label track (.txt) for each recording.")
@click.option("--model", "model_id", type=int, metavar="ID", help="Which model; else the newest.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Else exports/ of the project.")
@click.option("--force", is_flag=True, help="Export a model that loses more in int8 than labeltool.toml allows.")
@project_option
@json_option
def export(
    splits: bool,
    int8: bool,
    stm32: bool,
    audacity: bool,
    transcripts: bool,
    model_id: int | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write one or several products, each a folder with a manifest of SHA-256 sums."""
    chosen = {"splits": splits, "int8": int8, "stm32": stm32, "audacity": audacity, "transcripts": transcripts}
    products = [name for name, wanted in chosen.items() if wanted]
    if not products:
        raise click.UsageError("name at least one of " + ", ".join(f"--{name}" for name in chosen))
    project = current_project()
    result = run_in_child(
        project,
        "export",
        products=products,
        model_id=model_id,
        output=str((output or project.exports).resolve()),
        force=force,
    )
    if as_json:
        emit(result)
        return
    for directory in result["written"]:
        narrate(f"wrote {directory}")


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@project_option
@json_option
def verify(directory: Path, as_json: bool) -> None:
    """Check an STM32 package: its files, its C on this machine, on emulated chips, on the project's clips.

    It compiles and runs the C in the package: verify what you made, or what comes from people you trust. What this
    machine lacks the tools for is listed as not run.
    """
    result = run_in_child(nearby_project(), "verify", directory=str(directory.resolve()))
    if as_json:
        emit(result)
    else:
        width = max(len(check["name"]) for check in result["checks"])
        for check in result["checks"]:
            click.echo(f"{check['outcome']:<7}  {check['name']:<{width}}  {check['detail']}")
    if not result["passed"]:
        failed = sum(check["outcome"] == "failed" for check in result["checks"])
        raise LabeltoolError(f"{failed} of {len(result['checks'])} checks failed", file=directory)

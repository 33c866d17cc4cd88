"""The command line: the one place that knows every room, and loads each only when it is entered.

Data goes to stdout, narration, progress and errors to stderr. Exit codes: `labeltool.errors.ExitCode`.
"""

from __future__ import annotations

import os
import sys

import click

from labeltool import __version__
from labeltool.commands import common, demo, exports, imports, learning, projects, room, verdicts
from labeltool.errors import ExitCode, LabeltoolError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@common.project_option
@click.version_option(__version__, prog_name="labeltool")
def cli() -> None:
    """Label sounds, train a small network on them while you label, and take it to a microcontroller. Offline.

    \b
    labeltool init birds && cd birds
    labeltool import audacity ~/field/labels.txt
    labeltool label
    labeltool export --stm32
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace


for _command in (
    projects.init,
    imports.import_,
    projects.status,
    verdicts.mark,
    verdicts.undo,
    verdicts.redo,
    verdicts.log,
    verdicts.stats,
    verdicts.rename,
    room.label,
    learning.retrain,
    learning.suggest,
    learning.evaluate,
    learning.classify,
    exports.export,
    exports.verify,
    projects.relocate,
    demo.demo,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line and leave with an exit code; an error is one line on stderr."""
    try:
        code = cli.main(prog_name="labeltool", standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        code = ExitCode.WRONG_CALL
    except LabeltoolError as error:
        click.echo(f"labeltool: {error}", err=True)
        code = ExitCode.FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("labeltool: interrupted", err=True)
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # `labeltool log | head`: the reader has what it wanted. Python would complain at exit when flushing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = ExitCode.FINE
    sys.exit(code if isinstance(code, int) else ExitCode.FINE)

"""The command line: the one place that knows every room, and loads each only when it is entered.

Data goes to stdout, narration, progress and errors to stderr. Exit codes: `labeltool.errors.ExitCode`.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
import traceback

import click

from labeltool import __version__
from labeltool.cli import (
    annotate,
    backup,
    check,
    common,
    completion,
    demo,
    evaluation,
    export,
    import_,
    label,
    labels,
    lists,
    people,
    pretrained,
    project,
    serve,
    similar,
    training,
    transcribe,
)
from labeltool.cli.detection import density, detect, watch
from labeltool.cli.evaluation import report
from labeltool.errors import ExitCode, LabeltoolError
from labeltool.util.crash import crash_line, is_debugging
from labeltool.util.lifetime import INTERRUPTED, is_hung_up, write_ending


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
    project.init,
    import_.import_,
    lists.list_formats,
    project.status,
    annotate.mark,
    annotate.undo,
    annotate.redo,
    annotate.note,
    annotate.log,
    backup.journal,
    people.merge,
    people.conflicts,
    people.split_work,
    lists.list_clips,
    lists.review,
    similar.similar,
    similar.find,
    annotate.stats,
    labels.rename,
    labels.labels,
    label.label,
    training.retrain,
    check.check,
    training.suggest,
    evaluation.evaluate,
    report.report,
    training.simulate,
    pretrained.classify,
    serve.serve,
    detect.detect,
    watch.watch,
    density.density,
    transcribe.transcribe,
    transcribe.transcripts,
    pretrained.model,
    export.export,
    export.lock,
    export.verify,
    project.relocate,
    backup.backup,
    backup.restore,
    project.remove,
    project.group,
    demo.demo,
    completion.completion,
):
    cli.add_command(_command)


def main() -> None:
    """Run the command line and leave with an exit code; an error is one line on stderr."""
    if (code := completion.complete_if_requested(cli)) is not None:
        sys.exit(code)
    context: click.Context | None = None
    try:
        # Not `cli.main`: it would end a broken pipe by itself, as a failure.
        with cli.make_context("labeltool", sys.argv[1:]) as context:
            cli.invoke(context)
        sys.stdout.flush()
        code = ExitCode.FINE
    except click.exceptions.Exit as leaving:  # --help, --version
        code = ExitCode(leaving.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show(sys.stderr)
        code = ExitCode.WRONG_CALL
    except click.UsageError as error:
        _failed(_usage_line(error, context))
        code = ExitCode.WRONG_CALL
    except LabeltoolError as error:
        _failed(str(error))
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        write_ending(INTERRUPTED)
        _drop_stdout()
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # `labeltool log | head`: the reader has what it wanted.
        _drop_stdout()
        code = ExitCode.FINE
    except OSError as error:
        _drop_stdout()
        if is_hung_up(2):  # the terminal was closed: writing fails before the signal arrives
            code = ExitCode.INTERRUPTED
        else:
            code = _failed(f"{error.filename or 'cannot write'}: {error.strerror or error}")
    except UnicodeEncodeError as error:
        # Bytes of the command line or of the environment that are not UTF-8, or a terminal that is not.
        text = common.shortened(ascii(error.object))
        code = _failed(f"{text} is not text in {error.encoding.upper()} (is the terminal set to UTF-8?)")
    except sqlite3.Error as error:
        code = _failed(
            f"the project's database refused: {error} (is it damaged? `labeltool restore FILE` brings back a backup)"
        )
    except Exception as error:
        code = _failed(crash_line(error, (context and context.invoked_subcommand) or "the command line"))
    sys.exit(code)


def _usage_line(error: click.UsageError, context: click.Context | None) -> str:
    """Return one line for what Click has four for: the usage is on the page that it names."""
    problem = " ".join(error.format_message().split()).rstrip(".")
    problem = re.sub(
        "a valid integer( range)?", "a whole number", re.sub("a valid float( range)?", "a number", problem)
    )
    # An option without its value has no context of its own.
    command = (
        error.ctx.command_path if error.ctx else f"labeltool {(context and context.invoked_subcommand) or ''}".strip()
    )
    return f"{problem[:1].lower()}{problem[1:]} (see `{command} --help`)"


def _failed(reason: str) -> ExitCode:
    if is_debugging():
        traceback.print_exc()
    click.echo(f"labeltool: {reason}", err=True)
    return ExitCode.FAILED


def _drop_stdout() -> None:
    """Send what is left to nowhere: Python would complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

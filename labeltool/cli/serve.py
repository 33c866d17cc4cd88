"""A page to try a model in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from labeltool.cli.common import Number, Whole, narrate, project_of_model, project_option
from labeltool.cli.pretrained import any_model_option
from labeltool.errors import LabeltoolError

_HOST = "127.0.0.1"


@click.command()
@any_model_option
@click.option(
    "--speech-model",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A speech model's folder, as for `transcribe`: speech is written down.  [default: as in labeltool.toml]",
)
@click.option("--language", metavar="CODE", help="Spoken language.  [default: as in labeltool.toml, or detected]")
@click.option(
    "--vad/--no-vad", default=True, show_default=True, help="Remove stretches without speech first (voice detector)."
)
@click.option(
    "--host",
    metavar="ADDRESS",
    default=_HOST,
    show_default=True,
    help="Listen on it; 0.0.0.0: on all. The default is for this machine alone.",
)
@click.option("--port", metavar="N", type=Whole(1, 65535), help="[default: a free port]")
@click.option(
    "--max-duration",
    metavar="SECONDS",
    type=Number(1, 3600),
    default=600.0,
    show_default=True,
    help="The longest sound that is taken.",
)
@project_option
def serve(
    model: str | None,
    speech_model: Path | None,
    language: str | None,
    vad: bool,
    host: str,
    port: int | None,
    max_duration: float,
) -> None:
    """Serve a page to try a model, for people without a terminal.

    The page takes sound files and records from the microphone. It shows the classes over time, events, a transcript,
    and the most similar labelled clips; one click sends a recording into the project's queue. Outside a project,
    `--model PATH` classifies.

    \b
    labeltool serve
    labeltool serve --model yamnet --port 8000
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    try:
        from labeltool.web.page import serve_page
    except ModuleNotFoundError as error:
        raise LabeltoolError(
            f"the page needs aiohttp ({error.name} is not installed)", remedy='`pip install "labeltool[serve]"`'
        ) from error
    from labeltool.inference.whisper import require_speech_model
    from labeltool.inference.window_scorers import choose_model, window_scorer
    from labeltool.web.try_sound import TryOptions

    project = project_of_model(model)
    window_scorer(choose_model(project, model))  # what is wrong with it is reported now
    if project is not None:
        speech = project.settings.speech
        if speech_model is None and speech.model is not None:
            speech_model = project.directory / speech.model
        language = language or speech.language
    if speech_model is not None:
        require_speech_model(speech_model)
    folder = None if speech_model is None else str(speech_model.absolute())
    options = TryOptions(model, folder, language, vad, max_duration)
    serve_page(project, options, host=host, port=port, narrate=narrate)

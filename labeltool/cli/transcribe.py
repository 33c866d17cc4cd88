"""Transcripts: made by a speech model, and searched by their words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import (
    current_project,
    emit,
    engine_options,
    exit_for_failed,
    limit_option,
    narrate,
    project_options,
    run_task,
    with_names,
)
from labeltool.errors import in_one_line

if TYPE_CHECKING:
    from labeltool.inference.transcribe import TranscribeResult
    from labeltool.store.transcripts import TranscriptMatch


@click.command()
@click.argument("clips", metavar="[CLIP]...", nargs=-1)
@click.option(
    "--model",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The speech model's folder.  [default: as in labeltool.toml]",
)
@click.option(
    "--language", metavar="CODE", help="Spoken language: en, de, ...  [default: as in labeltool.toml, or detected]"
)
@click.option(
    "--label",
    "labels",
    metavar="LABEL",
    multiple=True,
    help="A label that means speech; repeat for several.  [default: as in labeltool.toml]",
)
@click.option("--all", "every_clip", is_flag=True, help="Every clip, whatever its labels.")
@click.option("--overwrite", is_flag=True, help="Also clips with a transcript by another model or with other options.")
@click.option("--words", is_flag=True, help="Start and end of each word too.")
@click.option(
    "--vad/--no-vad", default=True, show_default=True, help="Remove stretches without speech first (voice detector)."
)
@engine_options
@project_options
def transcribe(model: Path | None, as_json: bool, **options: Any) -> None:
    """Transcribe speech in clips with a Whisper model.

    Clips that are labelled or suggested as speech, or each CLIP (its id, or a file). The model is yours and is run by
    faster-whisper; nothing is downloaded. A clip keeps its transcript without
    --overwrite, so an interrupted run continues. `labeltool transcripts` searches them, `labeltool export
    --transcripts` writes them, the app shows them.

    \b
    labeltool transcribe --all --language en --model whisper-tiny.en
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.tasks.registry import TRANSCRIBE

    if options["clips"] and options["every_clip"]:
        raise click.UsageError("name clips, or give --all")
    project = current_project()
    try:
        result = run_task(project, TRANSCRIBE, model=str(model.absolute()) if model else None, options=options)
    except KeyboardInterrupt:
        narrate("transcripts made so far are kept; the same command continues")
        raise
    if as_json:
        emit(with_names(result, audio_s="heard_s", skipped="left_out"))
    else:
        _print_summary(result)
    exit_for_failed(result.skipped)


def _print_summary(result: TranscribeResult) -> None:
    kept = f", {result.kept} had a transcript" if result.kept else ""
    silent = f", {result.silent} without speech" if result.silent else ""
    speed = f", {result.audio_s / result.seconds:.1f} x real time" if result.transcribed else ""
    narrate(f"{result.transcribed} of {result.clips} clips transcribed{kept}{silent}{speed}")


@click.command()
@click.argument("text", nargs=-1)
@limit_option(20, "clips")
@project_options
def transcripts(text: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find clips by the words of their transcripts.

    All words of TEXT have to occur, case and accents are ignored; without TEXT, all transcripts are listed. '"two
    words"' in quotes follow one another, and fire* is the beginning of a word.

    \b
    labeltool transcripts fire brigade
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.store import transcripts as store_transcripts

    with current_project().open_store() as store:
        matching, found = store_transcripts.search(store, " ".join(text), limit=limit)
        none_yet = not matching and not store_transcripts.search(store, "", limit=1)[0]
    if as_json:
        emit({"matching": matching, "transcripts": [_as_json(one) for one in found]})
        return
    for one in found:
        segments = one.transcript.segments
        at_s = segments[one.segment].start_s if segments else one.clip.start_s
        sentence = segments[one.segment].text if segments else "-"
        before, after = "… " if one.segment else "", " …" if one.segment + 1 < len(segments) else ""
        click.echo(in_one_line(f"{one.clip.id}  {one.clip.path}  {at_s:.1f} s  {before}{sentence}{after}"))
    if matching > len(found):
        narrate(f"... and {matching - len(found)} more: --limit")
    if not matching:
        narrate("no transcripts yet: `labeltool transcribe` makes them" if none_yet else "no transcript contains that")


def _as_json(one: TranscriptMatch) -> dict[str, Any]:
    transcript = one.transcript
    return {
        "clip": one.clip.id,
        "file": one.clip.path,
        "start_s": one.clip.start_s,
        "end_s": one.clip.end_s,
        "at_s": transcript.segments[one.segment].start_s if transcript.segments else one.clip.start_s,
        "text": transcript.text,
        "language": transcript.language,
        "language_probability": transcript.language_probability,
        "model": transcript.model,
        "model_sha256": transcript.model_sha256,
        "made_at": transcript.created_at,
        "segments": transcript.segments,
    }

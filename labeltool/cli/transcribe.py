"""What is said in the clips: written down by a speech model, and sought by its words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import current_project, emit, json_option, narrate, project_option, run_in_child
from labeltool.errors import in_one_line

if TYPE_CHECKING:
    from labeltool.store.transcripts import Spoken


@click.command()
@click.argument("clips", metavar="[CLIP]...", nargs=-1)
@click.option(
    "--model",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The speech model's folder; else as [speech] in labeltool.toml says.",
)
@click.option("--language", metavar="CODE", help="What is spoken: en, de, ...; else the model finds out.")
@click.option("--label", "labels", metavar="LABEL", multiple=True, help="What counts as speech; may be said again.")
@click.option("--all", "everything", is_flag=True, help="Every clip, whatever is heard in it.")
@click.option(
    "--again", is_flag=True, help="Also clips that have a transcript by another model, or asked for otherwise."
)
@click.option("--words", is_flag=True, help="The times of single words too.")
@click.option(
    "--voices-only/--every-second",
    default=True,
    show_default=True,
    help="Whether a voice detector first takes out where nobody speaks.",
)
@project_option
@json_option
def transcribe(
    clips: tuple[str, ...],
    model: Path | None,
    language: str | None,
    labels: tuple[str, ...],
    everything: bool,
    again: bool,
    words: bool,
    voices_only: bool,
    as_json: bool,
) -> None:
    """Write down what is said in clips that are labelled or suggested as speech, or in each CLIP (its id, or a file).

    By a Whisper model as faster-whisper runs it, in a folder of yours: nothing is downloaded. A clip that has a
    transcript keeps it, unless --again; so what was interrupted goes on. `labeltool transcripts` seeks in them,
    `labeltool export --transcripts` writes them out, the labelling room shows them.
    """
    if clips and everything:
        raise click.UsageError("name clips, or say --all")
    project = current_project()
    try:
        result = run_in_child(
            project,
            "transcribe",
            model=str(model.absolute()) if model else None,
            named=clips,
            labels=labels,
            everything=everything,
            again=again,
            language=language,
            words=words,
            voices_only=voices_only,
        )
    except KeyboardInterrupt:
        narrate("what was transcribed is kept; the same call goes on with the rest")
        raise
    if as_json:
        emit(result)
        return
    kept = f", {result['kept']} had a transcript" if result["kept"] else ""
    silent = f", nothing is said in {result['silent']} of them" if result["silent"] else ""
    speed = f", {result['heard_s'] / result['seconds']:.1f} x real time" if result["transcribed"] else ""
    narrate(f"{result['transcribed']} of {result['clips']} clips transcribed{kept}{silent}{speed}")


@click.command()
@click.argument("text", nargs=-1)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="So many at most.")
@project_option
@json_option
def transcripts(text: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Seek clips by what is said in them: every word of TEXT, whatever its case and accents; without TEXT, list all.

    '"two words"' in quotes follow one another, and fire* is the beginning of a word.
    """
    from labeltool.store import transcripts as store_transcripts

    with current_project().open_store() as store:
        matching, found = store_transcripts.found(store, " ".join(text), limit=limit)
        none_yet = not matching and not store_transcripts.found(store, "", limit=1)[0]
    if as_json:
        emit({"matching": matching, "transcripts": [_as_json(one) for one in found]})
        return
    for one in found:
        segments = one.transcript.segments
        at_s = segments[one.at].start_s if segments else one.clip.start_s
        said = segments[one.at].text if segments else "-"
        before, after = "… " if one.at else "", " …" if one.at + 1 < len(segments) else ""
        click.echo(in_one_line(f"{one.clip.id}  {one.clip.path}  {at_s:.1f} s  {before}{said}{after}"))
    if matching > len(found):
        narrate(f"... and {matching - len(found)} more: --limit")
    if not matching:
        narrate("no transcripts yet: `labeltool transcribe` makes them" if none_yet else "nothing like that is said")


def _as_json(one: Spoken) -> dict[str, Any]:
    transcript = one.transcript
    return {
        "clip": one.clip.id,
        "file": one.clip.path,
        "start_s": one.clip.start_s,
        "end_s": one.clip.end_s,
        "at_s": transcript.segments[one.at].start_s if transcript.segments else one.clip.start_s,
        "text": transcript.text,
        "language": transcript.language,
        "language_probability": transcript.language_probability,
        "model": transcript.model,
        "model_sha256": transcript.model_sha256,
        "made_at": transcript.made_at,
        "segments": [
            {
                "start_s": segment.start_s,
                "end_s": segment.end_s,
                "text": segment.text,
                "words": [
                    {"start_s": word.start_s, "end_s": word.end_s, "text": word.text, "probability": word.probability}
                    for word in segment.words
                ],
            }
            for segment in transcript.segments
        ],
    }

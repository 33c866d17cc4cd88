"""Two people at one project in two terminals at once: the real program twice."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from helpers.terminal import TerminalApp
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.store import clips, journal
from labeltool.store.importing import import_records
from labeltool.util.files.project_names import SETTINGS_FILE

ANSWERS = 500
CLIP_S = 0.1
RATE_HZ = 8_000


def label(project: Project, annotator: str) -> str:
    """Label as fast as the app shows that it has the last label; return all that was painted."""
    with TerminalApp(project, "--annotator", annotator) as app:
        shown = app.until(r"long\.wav +at ([\d:.]+)(?=[^\d:.])").group(1)
        app.press("p")  # a clip that plays repaints its line without being new
        app.until("autoplay off")
        for number in range(ANSWERS):
            app.press("nd"[number % 2])
            if number < ANSWERS - 1:
                other = rf"long\.wav +at (?!{re.escape(shown)}[^\d:.])([\d:.]+)(?=[^\d:.])"
                shown = app.until(other).group(1)
        assert app.leave() == 0
        return app.painted()


def test_two_people_at_once_never_get_the_same_clip_and_lose_no_label(project: Project, tmp_path: Path) -> None:
    seconds = (2 * ANSWERS + 40) * CLIP_S
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE_HZ))
    soundfile.write(tmp_path / "long.wav", noise, RATE_HZ)
    with project.open_store() as store:
        import_records(store, audio_files.read([tmp_path / "long.wav"], CLIP_S, CLIP_S), kind="audio", source="test")
        # The clip at the very beginning is shown without its place.
        journal.annotate(store, clips.all_clips(store)[0].id, "noise", annotator="before")
    # A training would be another matter, and a slow one.
    (project.directory / SETTINGS_FILE).write_text("[learning]\nretrain_after = 0\n")
    with ThreadPoolExecutor(2) as people:
        painted = list(people.map(label, [project] * 2, ["ann", "bob"]))
    with project.open_store() as store:
        rows = [row for row in journal.rows(store) if row.annotator != "before"]
    assert {row.kind for row in rows} == {"verdict"}
    assert [sum(row.annotator == name for row in rows) for name in ("ann", "bob")] == [ANSWERS, ANSWERS]
    assert len({row.clip_id for row in rows}) == 2 * ANSWERS
    log = (project.cache / "logs" / "app.log").read_text()
    for output in (*painted, log):
        assert "locked" not in output

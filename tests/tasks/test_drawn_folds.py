"""The folds of a cross-validation where the data have none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import soundfile

from helpers.tones import P, add_tones
from helpers.training import work_here
from labeltool.audio.files import describe
from labeltool.project import Project
from labeltool.records import Clip, LabelledClip, Recording, Verdict
from labeltool.store.importing import import_records
from labeltool.tasks import evaluate


class Trained(Exception):
    """The first training begins."""


def test_nearly_equal_sound_is_in_one_fold(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_tones(project, tmp_path / "wav", *((["low"], {"low": P}), (["high"], {"high": P})) * 5)
    originals = sorted((tmp_path / "wav").glob("*.wav"))
    for path in originals:
        sound, rate = soundfile.read(path)
        copy = tmp_path / f"copy of {path.name}"
        soundfile.write(copy, 1.5 * sound, rate, subtype="PCM_24")
        found = describe(copy)
        recording = Recording(found.path, found.sha256, rate, 1, found.frames, copy.name)
        clip = Clip(recording.sha256, 0.0, 1.5)
        with project.open_store() as store:
            import_records(store, [recording, clip, Verdict(clip, "low")], kind="test", source=copy.name)
    given: list[LabelledClip] = []

    def test_fold(_: Project, labelled: Sequence[LabelledClip], *rest: Any) -> None:
        given.extend(labelled)
        raise Trained

    monkeypatch.setattr(evaluate, "_test_fold", test_fold)
    work_here(monkeypatch)
    with pytest.raises(Trained):
        evaluate.evaluate(project, report=lambda *_: None, cross_validate=True)
    fold_of = {Path(one.clip.path).name: one.clip.fold for one in given}
    assert len(fold_of) == 20 and len(set(fold_of.values())) == 5
    assert all(fold_of[path.name] == fold_of[f"copy of {path.name}"] for path in originals)

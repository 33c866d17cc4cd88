"""A trained project whose labels, notes and file names are hostile, and whose model is known to be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.command_line import labeltool_here
from helpers.reported import FOLDER, HOSTILE, NOTE, PERSON, PROJECT
from helpers.tones import tone_writer, write_esc_set
from helpers.training import train_quickly
from labeltool import project as projects
from labeltool.project import Project
from labeltool.store import clips, journal, labels
from labeltool.store.journal import AnnotationContext


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three labels in three folds, of which the model has not seen the third; there, four labels are wrong.

    One recording of those cannot be read any more. Tests change nothing in it but reports.
    """
    folder = tmp_path_factory.mktemp("reported")
    project = projects.create(folder / PROJECT)
    with pytest.MonkeyPatch.context() as patched:
        train_quickly(patched)
        write_esc_set(folder / FOLDER, tone_writer(folder / FOLDER), takes=3)
        labeltool_here(project, "import", "esc50", folder / FOLDER)
        labeltool_here(project, "retrain", "--from-scratch", "--test-fold", "3")
        labeltool_here(project, "evaluate", "--fold", "3")
    with project.open_store(to_write=True) as store:
        labels.rename(store, "low", HOSTILE, annotator="ann")
        of_fold = [one for one in clips.labelled(store) if one.clip.fold == 3]
        wrong = [one for one in of_fold if one.present != ("high",)][:4]
        for one in wrong:
            context = AnnotationContext(response_ms=1500, instead_of=one.present)
            journal.annotate(store, one.clip.id, "high", annotator=PERSON, context=context)
        journal.note(store, wrong[0].clip.id, NOTE, annotator=PERSON)
        Path(wrong[1].clip.path).write_bytes(b"RIFF")
    return projects.load(project.directory)

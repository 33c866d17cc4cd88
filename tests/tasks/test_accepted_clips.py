"""Clips that were accepted automatically: a retraining counts those that validate its model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.command_line import labeltool_here
from helpers.store import add_model_row
from helpers.tones import P, add_tones
from labeltool.annotation.auto_accept import Candidates, accept
from labeltool.project import Project
from labeltool.store import clips, models


@pytest.mark.usefixtures("quickly", "tiny")
def test_a_retraining_counts_validation_clips_were_accepted_automatically(project: Project, tmp_path: Path) -> None:
    add_tones(project, tmp_path / "wav", *((["low"], {}), (["high"], {})) * 8)
    with project.open_store() as store:
        uid = models.uid(store, add_model_row(store))
        for label, ids in (("low", clips.all_clips(store)[::2]), ("high", clips.all_clips(store)[1::2])):
            accept(store, Candidates(label, 0.9, dict.fromkeys((clip.id for clip in ids), uid), 0), annotator="ann")
        assert len(clips.auto_accepted(store)) == 16
    retrain = (project, "retrain", "--arch", "tiny", "--from-scratch")
    done = labeltool_here(*retrain, "--json")
    result = json.loads(done.stdout)
    validation_clips = result["validation_clips"]
    assert result["accepted_validation_clips"] == validation_clips > 0
    status = labeltool_here(project, "status").stdout
    assert f"% of {validation_clips} validation clips; " in status
    # A person labels as many others: these validate.
    add_tones(project, tmp_path / "wav", *((["low"], {"low": P}), (["high"], {"high": P})) * 20)
    done = labeltool_here(*retrain, "--json")
    result = json.loads(done.stdout)
    assert result["accepted_validation_clips"] == 0 < result["validation_clips"]
    assert "accepted automatically" not in done.stderr

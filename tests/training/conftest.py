"""Trainings that take seconds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labeltool.training import fit


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every training be a short one."""
    short = replace(fit.TrainingSettings(), least_patches=1280, most_patches=1280, validation_share=0.25)
    monkeypatch.setattr(fit, "TrainingSettings", lambda **given: replace(short, **given))

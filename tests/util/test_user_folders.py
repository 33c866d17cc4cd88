"""Where a user without a home directory has caches and state."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from labeltool.errors import LabeltoolError
from labeltool.util import user_folders, user_state


@pytest.fixture(autouse=True)
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the home directory away."""

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_the_variable_names_a_folder_without_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert user_folders.cache_folder() == user_folders.state_folder() == tmp_path / "labeltool"


def test_without_both_it_is_one_line_and_the_state_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME")
    with pytest.raises(LabeltoolError, match=r"there is no home directory \(set HOME or XDG_CACHE_HOME\)"):
        user_folders.cache_folder()
    user_state.change_user_state(tour_shown=True)
    assert not user_state.read_user_state().tour_shown and list(tmp_path.iterdir()) == []

"""The process of a task: its environment."""

from __future__ import annotations

import platform

import pytest

from labeltool.tasks.process import tensorflow_environment

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


def test_tensorflow_uses_onednn_on_x86_unless_it_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ONEDNN, raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert ONEDNN not in tensorflow_environment()
    for machine in ("x86_64", "AMD64"):
        monkeypatch.setattr(platform, "machine", lambda name=machine: name)
        assert tensorflow_environment()[ONEDNN] == "1"
    monkeypatch.setenv(ONEDNN, "0")
    assert tensorflow_environment()[ONEDNN] == "0"

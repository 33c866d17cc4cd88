"""Files from outside are read within bounds: their size, their kind, how deep they are nested."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from labeltool.util.files.bounded_read import parse_json, parse_toml, read_bytes, read_text
from labeltool.util.files.npz import UNREADABLE, open_npz


def test_a_file_is_read_up_to_its_bound_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_bytes(b"x" * 1000)
    assert len(read_bytes(path, 1000)) == 1000
    with pytest.raises(ValueError, match="is larger than"):
        read_bytes(path, 999)
    os.truncate(path, 1 << 40)  # sparse: it takes no space, and would not fit into memory
    with pytest.raises(ValueError, match="is larger than"):
        read_text(path)


def test_what_would_block_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        read_bytes(tmp_path / "pipe")


@pytest.mark.parametrize("text", ["[" * 3000, "1" * 5000, '{"a":' * 3000, "", "\x00"])
def test_json_that_is_none_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize("text", ["a=" + "[" * 3000, "a=" + "1" * 5000, "a={b=" * 3000, "a." * 200_000 + "a=1", "="])
def test_toml_that_is_none_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_toml(text)


def test_arrays_that_unpack_to_gigabytes_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    np.savez(path, a=np.zeros(3))
    with open_npz(path) as arrays:
        assert arrays["a"].shape == (3,)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        size = archive.infolist()[0].file_size.to_bytes(4, "little")
    place = content.rindex(size, content.rindex(b"PK\x01\x02"))
    content[place : place + 4] = (1 << 31).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(UNREADABLE), open_npz(path) as arrays:
        pytest.fail(f"read {arrays}")

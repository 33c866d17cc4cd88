"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeltool.util.atomic_write import open_atomic, write_bytes, write_text


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_takes_the_place_of_another(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.txt"
    write_bytes(path, b"old", durable=durable)
    write_text(path, "new ä\r\n", durable=durable)
    assert path.read_bytes() == "new ä\r\n".encode() and [*tmp_path.iterdir()] == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), open_atomic(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and [*tmp_path.iterdir()] == [path]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("untouched")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    write_text(tmp_path / "link", "inside")
    assert (tmp_path / "outside").read_text() == "untouched" and not (tmp_path / "link").is_symlink()

"""Nothing that is made, renamed or removed follows a link, and a message names the link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labeltool.errors import LabeltoolError
from labeltool.util.files import no_links


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with a file, and links to both in `inside`."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("untouched")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "folder").symlink_to(outside)
    (tmp_path / "inside" / "file").symlink_to(outside / "file")
    return outside


def test_folders_are_made_and_returned_the_innermost_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert no_links.make_folder(tmp_path / "a" / "b") == [tmp_path / "a" / "b", tmp_path / "a"]
    assert no_links.make_folder(tmp_path / "a" / "b") == []
    monkeypatch.chdir(tmp_path / "a")
    no_links.make_folder(Path("c", "d"))
    assert (tmp_path / "a" / "c" / "d").is_dir()


def test_no_folder_is_made_through_a_link(tmp_path: Path, outside: Path) -> None:
    for folder in (tmp_path / "inside" / "folder", tmp_path / "inside" / "folder" / "new"):
        with pytest.raises(LabeltoolError, match=f"^{tmp_path}/inside/folder: is a link; .* does not write through"):
            no_links.make_folder(folder)
    assert [*outside.iterdir()] == [outside / "file"]


def test_an_error_names_the_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as raised:
        no_links.make_folder(tmp_path / "file" / "folder")
    assert raised.value.filename == str(tmp_path / "file")


def test_links_are_refused_and_what_is_missing_is_not(tmp_path: Path, outside: Path) -> None:
    inside = tmp_path / "inside"
    for path in (inside / "folder", inside / "folder" / "missing", inside / "file"):
        with pytest.raises(LabeltoolError, match="is a link"):
            no_links.refuse_links(path)
    for path in (inside, inside / "missing" / "folder", outside / "file", outside / "file" / "x"):
        no_links.refuse_links(path)
    (inside / "dangling").symlink_to("nowhere")
    with pytest.raises(LabeltoolError, match="dangling: is a link"):
        no_links.refuse_links(inside / "dangling")


def test_a_file_is_appended_to_where_it_is_one_of_its_own(tmp_path: Path, outside: Path) -> None:
    path = tmp_path / "new" / "rows"
    for content in (b"one", b"two"):
        with no_links.open_to_append(path) as file:
            file.write(content)
    assert path.read_bytes() == b"onetwo"
    os.link(outside / "file", tmp_path / "hard")
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("inside/file", "is a link"), ("hard", "is not a file of the project"), ("pipe", "cannot be")):
        with pytest.raises(LabeltoolError, match=f"{name}: {reason}"):
            no_links.open_to_append(tmp_path / name)
    assert (outside / "file").read_text() == "untouched"


def test_a_new_file_takes_no_name_that_is_used(tmp_path: Path, outside: Path) -> None:
    no_links.write_new(tmp_path / "new" / "file", b"content")
    (tmp_path / "dangling").symlink_to(outside / "made")
    for path in (tmp_path / "new" / "file", tmp_path / "inside" / "file", tmp_path / "dangling"):
        with pytest.raises(FileExistsError):
            no_links.write_new(path, b"other")
    assert (tmp_path / "new" / "file").read_bytes() == b"content"
    assert (outside / "file").read_text() == "untouched" and not (outside / "made").exists()


def test_a_new_file_that_cannot_be_written_whole_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as raised:
        no_links.write_new(tmp_path / "file", b"content")
    assert [*tmp_path.iterdir()] == [] and raised.value.filename == str(tmp_path / "file")


def test_a_rename_moves_a_link_itself_and_none_leads_elsewhere(tmp_path: Path, outside: Path) -> None:
    no_links.rename(tmp_path / "inside" / "file", tmp_path / "inside" / "moved")
    assert (tmp_path / "inside" / "moved").is_symlink()
    for old, new in (("inside/moved", "inside/folder/moved"), ("inside/folder/file", "inside/taken")):
        with pytest.raises(LabeltoolError, match="inside/folder: is a link"):
            no_links.rename(tmp_path / old, tmp_path / new)
    assert [*outside.iterdir()] == [outside / "file"]

"""Projects of remote sounds: imported, labelled and searched as those of a disk, by a server that fails."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.command_line import labeltool_here
from helpers.sftp_server import SftpServer, serving_sftp
from helpers.sound_server import SoundServer, serving
from labeltool import project as projects
from labeltool.audio import file_versions, files
from labeltool.audio.feature_cache import FeatureCache
from labeltool.audio.frontend import LogMelFrontend
from labeltool.audio.remote import block_cache, fetching, reference
from labeltool.project import Project
from labeltool.store import clips, recordings
from labeltool.tasks import remote_hashes
from labeltool.tasks.relocate import Relocation

pytest.importorskip("aiohttp")
pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user cache"))
    monkeypatch.setenv("LABELTOOL_REMOTE", "")
    monkeypatch.setattr(fetching, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(fetching, "_unreachable_until", {})
    monkeypatch.setattr(block_cache, "_written_since_look", None)


@pytest.fixture
def server(tmp_path: Path, write_tone: Callable[..., Path]) -> Iterator[SoundServer]:
    for number in range(6):
        write_tone(f"served/{'abcdef'[number]}.wav", frequency_hz=300.0 + 100 * number, seconds=4.0, rate=44_100)
    (tmp_path / "served" / "list.txt").write_text("# sounds\n" + "".join(f"{one}.wav\n" for one in "abcdef"))
    with serving(tmp_path / "served") as state:
        yield state


def new_project(folder: Path) -> Project:
    projects.create(folder)
    settings = folder / "labeltool.toml"
    settings.write_text(settings.read_text().replace("timeout_s = 15", "timeout_s = 1.5"))
    return projects.load(folder)


def run(project: Project, *arguments: str | Path, check: int | None = 0) -> Any:
    done = labeltool_here(project, *arguments, "--json", check=check)
    return json.loads(done.stdout) if done.stdout else done.stderr


def rows(project: Project) -> list[tuple[object, ...]]:
    """What is stored of each clip, by the name of its file."""
    with project.open_store() as store:
        found = store.connection.execute(
            "SELECT r.path, r.frames, r.sample_rate_hz, r.channels, c.start_s, c.end_s, e.label, e.value "
            "FROM active_clips c JOIN recordings r ON r.id = c.recording_id "
            "LEFT JOIN latest_events e ON e.clip_id = c.id"
        ).fetchall()
    return sorted((Path(path).name, *rest) for path, *rest in found)


def features(project: Project) -> dict[tuple[str, float], Any]:
    with project.open_store() as store:
        stored = clips.unlabelled(store)
    cache = FeatureCache(project.features, LogMelFrontend())
    assert cache.compute(stored) == {}
    return {(Path(clip.path).name, clip.start_s): cache.log_mel(clip) for clip in stored}


def test_remote_rows_and_features_equal_those_of_a_disk(tmp_path: Path, server: SoundServer) -> None:
    here, there = new_project(tmp_path / "here"), new_project(tmp_path / "there")
    server.fault_every = 5
    sources = ((here, server.folder), (there, f"{server.url}/list.txt"))
    for project, source in sources:
        result = run(project, "import", "audio", source, "--clip-seconds", "1")
        assert (result["recordings"], result["clips"], result["failed"]) == (6, 24, [])
        run(project, "mark", "1", "tone")
        run(project, "mark", "5", "tone", "--absent")
    assert rows(there) == rows(here)
    expected, found = features(here), features(there)
    assert expected.keys() == found.keys()
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key])
    assert server.faults >= 2
    needed = sum(path.stat().st_size for path in server.folder.iterdir())
    assert server.bytes_sent <= 1.2 * needed
    # Nothing is doubled by a second import, and nothing is fetched.
    before = server.bytes_sent
    again = run(there, "import", "audio", f"{server.url}/list.txt", "--clip-seconds", "1")
    assert (again["recordings"], again["clips"], again["already_there"]["recordings"]) == (0, 0, 6)
    assert server.bytes_sent == before
    assert rows(there) == rows(here)


def test_a_table_of_labels_names_urls_and_lists_name_no_local_file(tmp_path: Path, server: SoundServer) -> None:
    project = new_project(tmp_path / "p")
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("file", "start_s", "end_s", "label"), (f"{server.url}/a.wav", 0.5, 1.5, "frog"),
             ("file:///etc/passwd", 0, 1, "frog"), (f"{server.url}/b.wav", 1, 2, "bird")]
        )  # fmt: skip
    result = run(project, "import", "table", tmp_path / "labels.csv", check=None)
    assert (result["recordings"], result["verdicts"]) == (2, 2)
    secret = tmp_path / "secret.wav"
    shutil.copy(server.folder / "c.wav", secret)
    listed = tmp_path / "urls.csv"
    listed.write_text(f"name,url\nx,file://{secret}\nx,{secret}\nx,local://{secret}\nx,{server.url}/d.wav\n")
    (server.folder / "evil.txt").write_text(f"file://{secret}\n../secret.wav\n/etc/passwd\ne.wav\n")
    for source, added in ((listed, 1), (f"{server.url}/evil.txt", 1)):
        result = run(project, "import", "audio", source, check=1)
        assert result["recordings"] == added and len(result["failed"]) == 3
    with project.open_store() as store:
        assert all(one.path.startswith(server.url) for one, _ in recordings.all_recordings(store))


def test_a_password_is_neither_stored_nor_shown(tmp_path: Path, server: SoundServer) -> None:
    project = new_project(tmp_path / "p")
    url = server.url.replace("//", "//me:hunter2@") + "/a.wav"
    (tmp_path / "urls.txt").write_text(f"{url}\n{server.url}/b.wav?token=hunter2\n{server.url}/c.wav\n")
    (tmp_path / "labels.csv").write_text(f"file,start_s,end_s,label\n{url},0,1,frog\n")
    commands = (("import", "table", tmp_path / "labels.csv"), ("import", "audio", tmp_path / "urls.txt"))
    for arguments in (("import", "audio", url), ("classify", url), *commands):
        done = labeltool_here(project, *arguments, check=None)
        assert done.returncode
        assert "hunter2" not in done.stdout + done.stderr
    assert all(b"hunter2" not in path.read_bytes() for path in project.directory.rglob("*") if path.is_file())
    assert run(project, "status")["recordings"] == 1


def test_a_changed_sound_is_one_line_and_the_others_go_on(
    tmp_path: Path, server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = new_project(tmp_path / "p")
    run(project, "import", "audio", f"{server.url}/list.txt")
    shutil.copy(server.folder / "a.wav", server.folder / "b.wav")
    monkeypatch.setattr(reference, "FRESH_S", 0.0)
    with project.open_store() as store:
        stored = clips.unlabelled(store)
    failed = FeatureCache(project.features, LogMelFrontend()).compute(stored)
    (error,) = failed.values()
    assert str(error).startswith(f"{server.url}/b.wav: is not the sound that was imported")


def test_equal_sounds_of_two_urls_are_one_group_once_they_are_read(tmp_path: Path, server: SoundServer) -> None:
    shutil.copy(server.folder / "a.wav", server.folder / "copy.wav")
    project = new_project(tmp_path / "p")
    run(project, "import", "audio", f"{server.url}/a.wav", f"{server.url}/copy.wav", f"{server.url}/b.wav")
    run(project, "mark", "a.wav", "one")
    run(project, "mark", "copy.wav", "two")
    assert run(project, "check", "silence", check=None) is not None  # reads them
    run(project, "suggest")
    with project.open_store() as store:
        groups = dict(store.connection.execute("SELECT path, group_name FROM recordings").fetchall())
        hashes = store.connection.execute("SELECT samples_sha256 FROM recordings").fetchall()
    assert all(sha256 for (sha256,) in hashes)
    assert groups[f"{server.url}/a.wav"] == groups[f"{server.url}/copy.wav"] != groups[f"{server.url}/b.wav"]
    assert run(project, "status")["labels"] == {"one": 1, "two": 1}
    # The file itself is known now, wherever it comes from.
    result = run(project, "import", "audio", server.folder / "b.wav")
    assert (result["recordings"], result["already_there"]["recordings"]) == (0, 1)


def test_status_and_clips_show_what_can_be_played_without_a_network(tmp_path: Path, server: SoundServer) -> None:
    project = new_project(tmp_path / "p")
    run(project, "import", "audio", f"{server.url}/list.txt", "--clip-seconds", "1")
    features(project)
    assert run(project, "status")["remote"] == {"clips": 24, "on_this_disk": 24}
    shutil.rmtree(block_cache.folder_of(reference.reference_of(f"{server.url}/a.wav").id))
    server.is_down = True
    assert run(project, "status")["remote"] == {"clips": 24, "on_this_disk": 20}
    listed = run(project, "clips")["clips"]
    assert sum(clip["on_this_disk"] for clip in listed) == 20
    assert not any(clip["on_this_disk"] for clip in listed if clip["file"].endswith("/a.wav"))
    text = labeltool_here(project, "clips", "--text", "a.wav").stdout
    assert text.count("needs the network") == 4


def test_the_journal_carries_remote_recordings(tmp_path: Path, server: SoundServer) -> None:
    one, other = new_project(tmp_path / "one"), new_project(tmp_path / "other")
    run(one, "import", "audio", f"{server.url}/list.txt")
    run(one, "mark", "a.wav", "tone")
    long_query = f"{server.url}/d.wav?{'x' * 600}"
    run(one, "import", "audio", long_query)
    labeltool_here(one, "journal", "export", "-o", tmp_path / "one.jsonl")
    labeltool_here(other, "journal", "import", tmp_path / "one.jsonl")
    labeltool_here(other, "journal", "export", "-o", tmp_path / "other.jsonl")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "other.jsonl").read_bytes()
    assert rows(other) == rows(one)
    assert run(other, "status")["remote"]["clips"] == 7
    for bad in ("file:///etc/passwd", "https://me:hunter2@host/a.wav"):
        lines = (tmp_path / "one.jsonl").read_text().replace(f"{server.url}/c.wav", bad)
        (tmp_path / "bad.jsonl").write_text(lines)
        done = labeltool_here(other, "journal", "import", tmp_path / "bad.jsonl", check=1)
        assert "hunter2" not in done.stderr


def test_relocate_finds_lost_files_at_their_new_urls(tmp_path: Path, server: SoundServer) -> None:
    project = new_project(tmp_path / "p")
    moved = tmp_path / "moved"
    shutil.copytree(server.folder, moved)
    run(project, "import", "audio", moved)
    shutil.rmtree(moved)
    assert run(project, "relocate", f"{server.url}/list.txt") == {"relocated": 6, "missing": 0}
    assert run(project, "status")["remote"] == {"clips": 6, "on_this_disk": 6}
    assert len(features(project)) == 6


def test_one_bad_place_does_not_stop_the_others_and_a_lost_url_is_named(tmp_path: Path, server: SoundServer) -> None:
    project = new_project(tmp_path / "p")
    bad = (f"{server.url}/missing.txt", f"{server.url}/missing.wav")
    result = run(project, "import", "audio", bad[0], f"{server.url}/a.wav", bad[1], check=1)
    assert result["recordings"] == 1
    assert [one["file"] for one in result["failed"]] == list(bad)
    for url, reason in ((bad[0], "no such file"), (f"{server.url}//b.wav", "is lost here"), (f"{server.url}/", "lost")):
        done = labeltool_here(project, "import", "audio", url, check=None)
        assert done.returncode and reason in done.stderr and "Traceback" not in done.stderr
    result = run(project, "import", "audio", f"{server.url}/b.wav".replace("http", "HTTP"))
    assert result["recordings"] == 1
    # A column of a table does not replace what was measured.
    (tmp_path / "labels.csv").write_text(f"file,start_s,end_s,label,size_bytes\n{server.url}/c.wav,0,1,x,{10**18}\n")
    assert run(project, "import", "table", tmp_path / "labels.csv")["recordings"] == 1
    assert run(project, "status")["remote"]["clips"] == 3
    with project.open_store() as store:
        sizes = store.connection.execute("SELECT value FROM recording_columns WHERE name = 'size_bytes'").fetchall()
    assert {int(size) for (size,) in sizes} == {(server.folder / "a.wav").stat().st_size}


def test_a_server_that_fails_is_no_lost_file(tmp_path: Path, server: SoundServer) -> None:
    project = new_project(tmp_path / "p")
    run(project, "import", "audio", server.folder / "a.wav")
    with project.open_store() as store:
        store.connection.execute("UPDATE recordings SET path = ?", (f"{server.url}/b.wav",))
        store.connection.commit()
        server.fault_every, server.kinds = 1, ("fails",)
        relocation = Relocation(store)
        relocation.look_at(str(server.folder / "a.wav"))
        assert relocation.store_found() == 0


ODD_NAMES = ("50%20 of #2?.wav", "site #1/é.wav")


@pytest.fixture
def bucket(tmp_path: Path, server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    """An object store with the same sounds, below `s3://bucket/night/`; the server stands before it."""
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
    pytest.importorskip("s3fs").S3FileSystem.clear_instance_cache()  # of the server of another test
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    store = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host = ":".join(map(str, store.get_host_and_port()))
    client = boto3.client("s3", endpoint_url=f"http://{host}")
    client.create_bucket(Bucket="bucket")
    for path in server.folder.iterdir():
        client.put_object(Bucket="bucket", Key=f"night/{path.name}", Body=path.read_bytes())
    client.put_object(Bucket="bucket", Key="other/x.wav", Body=b"")
    for key in ODD_NAMES:
        client.put_object(Bucket="bucket", Key=f"odd/{key}", Body=(server.folder / "a.wav").read_bytes())
    client.close()
    with serving(server.folder, upstream=host) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy
    store.stop()


def test_a_folder_of_an_object_store_is_read_as_one_of_a_disk(
    tmp_path: Path, server: SoundServer, bucket: SoundServer
) -> None:
    here, there = new_project(tmp_path / "here"), new_project(tmp_path / "there")
    bucket.fault_every = 5
    for project, source in ((here, str(server.folder)), (there, "s3://bucket/night/")):
        result = run(project, "import", "audio", source, "--clip-seconds", "2")
        assert (result["recordings"], result["clips"], result["failed"]) == (6, 12, [])
    assert rows(there) == rows(here)
    expected, found = features(here), features(there)
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key])
    assert bucket.faults >= 2
    needed = sum(path.stat().st_size for path in server.folder.glob("*.wav"))
    assert bucket.bytes_sent <= 1.2 * needed
    assert "s3://bucket/night/a.wav" in paths_of(there)
    refused = run(there, "import", "audio", "s3://bucket/night/missing.wav", check=1)
    assert "s3://bucket/night/missing.wav: no such file" in refused


def paths_of(project: Project) -> set[str]:
    with project.open_store() as store:
        return {one.path for one, _ in recordings.all_recordings(store)}


def test_names_in_a_store_may_have_any_letters(tmp_path: Path, bucket: SoundServer) -> None:
    project = new_project(tmp_path / "project")
    result = run(project, "import", "audio", "s3://bucket/odd/")
    assert (result["recordings"], result["failed"]) == (len(ODD_NAMES), [])
    assert paths_of(project) == {f"s3://bucket/odd/{name}" for name in ODD_NAMES}
    assert len(features(project)) == len(ODD_NAMES)


@pytest.fixture
def sftp(tmp_path: Path, server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SftpServer]:
    """A server of the folder of sounds whose key is known, and some sounds of other names in it."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for name in ODD_NAMES:
        path = server.folder / "odd" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(server.folder / "a.wav", path)
    with serving_sftp(home / ".ssh" / "id_rsa") as state:
        state.write_known_hosts(home / ".ssh" / "known_hosts")
        yield state


def test_a_folder_of_an_sftp_server_is_read_as_one_of_a_disk(
    tmp_path: Path, server: SoundServer, sftp: SftpServer
) -> None:
    here, there = new_project(tmp_path / "here"), new_project(tmp_path / "there")
    for project, source in ((here, str(server.folder)), (there, f"{sftp.url}{server.folder}/")):
        result = run(project, "import", "audio", source, "--clip-seconds", "2")
        assert result["failed"] == []
    assert {f"{sftp.url}{server.folder}/odd/{name}" for name in ODD_NAMES} <= paths_of(there)
    assert len(paths_of(there)) == 6 + len(ODD_NAMES)
    sftp.close_connections()
    expected, found = features(here), features(there)
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key])


@pytest.mark.parametrize(
    ("known", "has_key", "reason"),
    [
        ("", True, "the key of its server is not known (connect with `ssh` once, and compare the key)"),
        ("other", True, "its server has another key than before"),
        ("it", False, "may not be read: there is no key of yours (docs/remote.md says where keys go)"),
    ],
)
def test_an_sftp_server_of_another_key_and_one_without_a_key_of_ours_are_refused(
    tmp_path: Path, server: SoundServer, sftp: SftpServer, known: str, has_key: bool, reason: str
) -> None:
    folder = tmp_path / "home" / ".ssh"
    (folder / "known_hosts").unlink()
    if known:
        sftp.write_known_hosts(folder / "known_hosts", is_other=known == "other")
    if not has_key:
        (folder / "id_rsa").unlink()
    refused = run(new_project(tmp_path / "project"), "import", "audio", f"{sftp.url}{server.folder}/a.wav", check=1)
    assert reason in refused and "Traceback" not in refused


def test_a_damaged_sound_is_decoded_once_and_a_call_decodes_a_few(
    tmp_path: Path, server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = new_project(tmp_path / "p")
    run(project, "import", "audio", f"{server.url}/list.txt")
    features(project)
    decoded: list[str] = []

    def hash_of(version: file_versions.FileVersion) -> file_versions.Properties:
        decoded.append(Path(str(version.path)).name)
        found = file_versions.decoded_properties(version)
        return replace(found, samples_sha256=None) if decoded[-1] == "a.wav" else found

    monkeypatch.setattr(files, "decoded_properties", hash_of)
    monkeypatch.setattr(remote_hashes, "_DECODED_AT_MOST", 4)
    reports: list[str] = []
    for _ in range(3):
        remote_hashes.store_known_hashes(project, lambda stage, *_: reports.append(stage))
    assert sorted(decoded) == [f"{letter}.wav" for letter in "abcdef"] and len(reports) == 6
    with project.open_store() as store:
        known = [one.samples_sha256 is not None for one, _ in recordings.all_recordings(store)]
    assert sorted(known) == [False, True, True, True, True, True]


def test_auto_takes_urls_and_lists_of_them_beside_files(
    tmp_path: Path, server: SoundServer, write_tone: Callable[..., Path]
) -> None:
    project = new_project(tmp_path / "p")
    (tmp_path / "urls.txt").write_text(f"# two\n{server.url}/b.wav\n{server.url}/c.wav\n")
    here = write_tone("here.wav")
    result = run(project, "import", "auto", f"{server.url}/a.wav", tmp_path / "urls.txt", here)
    assert (result["recordings"], result["clips"], result["failed"]) == (4, 4, [])
    assert {one["file"]: one["reason"] for one in result["notes"] if "taken for" in one["reason"]} == {
        f"{server.url}/a.wav": "taken for: remote recordings without labels",
        str(tmp_path / "urls.txt"): "taken for: a list of URLs of recordings",
        str(here): "taken for: a sound file",
    }
    result = run(project, "import", "auto", f"{server.url}/list.txt", f"{server.url}/none.wav", check=1)
    assert result["recordings"] == 3 and [one["file"] for one in result["failed"]] == [f"{server.url}/none.wav"]
    refused = labeltool_here(project, "import", "auto", f"{server.url}/a.wav?token=x", check=1)
    assert "token" in refused.stderr and "token=x" not in refused.stderr

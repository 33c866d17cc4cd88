"""Remote sounds: read in ranges through the one reader, kept in a bounded cache, whatever the server does."""

from __future__ import annotations

import base64
import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.sound_server import SoundServer, serving
from helpers.waits import until
from labeltool.audio import files
from labeltool.audio.remote import block_cache, fetching, reference
from labeltool.audio.remote.limits import set_limits
from labeltool.audio.remote.reference import RemoteError, Unreachable, reference_of
from labeltool.audio.remote.waiting import give_up
from labeltool.audio.sound_reader import SoundReader
from labeltool.errors import LabeltoolError
from labeltool.util.files import writable
from labeltool.util.urls import checked_url, is_url, path_of_url

pytest.importorskip("aiohttp")
pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user cache"))
    monkeypatch.setenv("LABELTOOL_REMOTE", "")
    monkeypatch.setattr(fetching, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(fetching, "_unreachable_until", {})
    monkeypatch.setattr(block_cache, "_written_since_look", None)
    yield tmp_path / "user cache" / "labeltool" / "remote"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SoundServer]:
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as state:
        yield state


def aiohttp_error(name: str) -> Exception:
    """An error as aiohttp raises it, without a connection."""
    kind = getattr(pytest.importorskip("aiohttp"), name)
    return kind.__new__(kind)


def noise(path: Path, seconds: float, rate: int = 16_000, **options: str) -> Path:
    samples = np.random.default_rng(len(path.name)).normal(0, 0.1, (round(seconds * rate), 2))
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_remote_sound_is_read_as_the_file_is(server: SoundServer, name: str, has_ranges: bool) -> None:
    path = noise(server.folder / name, 8.0)
    server.has_ranges = has_ranges
    url = f"{server.url}/{name}"
    here, there = files.describe(path), files.describe(url)
    assert (there.sample_rate_hz, there.channels, there.frames) == (here.sample_rate_hz, here.channels, here.frames)
    assert there.path == url and there.sha256 == reference_of(url).id and there.samples_sha256 is None
    for start_s, end_s in ((0.0, 1.0), (5.25, 7.0), (2.0, 3.5), (7.5, None)):
        expected = files.read_pcm(path, start_s, end_s, 16_000)
        np.testing.assert_array_equal(files.read_pcm(url, start_s, end_s, 16_000), expected)
    assert files.samples_hash(url) == here.samples_sha256 == reference_of(url).samples_sha256
    assert files.content_hash(url) == here.sha256


def test_what_fails_stalls_and_is_cut_is_requested_again(server: SoundServer) -> None:
    path = noise(server.folder / "a.wav", 60.0)
    server.fault_every = 5
    set_limits(10.0, 1.5)
    with SoundReader(f"{server.url}/a.wav") as there, SoundReader(path) as here:
        for second in range(0, 60, 2):
            np.testing.assert_array_equal(there.mono(second * 16_000, 32_000), here.mono(second * 16_000, 32_000))
    assert server.faults >= 3
    assert server.bytes_sent <= 1.2 * path.stat().st_size


def test_a_span_costs_its_own_bytes_and_those_that_were_read_cost_nothing(server: SoundServer) -> None:
    path = noise(server.folder / "long.wav", 300.0)
    url = f"{server.url}/long.wav"
    files.describe(url)
    assert server.bytes_sent <= 0.03 * path.stat().st_size
    before, requests = server.bytes_sent, server.requests
    files.read_pcm(url, 200.0, 210.0, 16_000)
    # One block more on each side, in one request or two.
    assert server.bytes_sent - before <= 10.1 * 64_000 + 2 * block_cache.BLOCK_BYTES
    assert server.requests - requests <= 2
    before = server.bytes_sent
    files.read_pcm(url, 200.0, 210.0, 16_000)
    assert server.bytes_sent == before


def test_a_sound_that_cannot_be_read_to_its_end_is_an_error_and_not_a_shorter_sound(server: SoundServer) -> None:
    noise(server.folder / "a.wav", 60.0)
    server.kinds = ("fails", "cuts")
    with SoundReader(f"{server.url}/a.wav") as reader:
        assert reader.frames == 60 * 16_000
        server.fault_every = 1
        with pytest.raises(RemoteError, match="could not be read in 6 tries"):
            list(reader.blocks())
    with pytest.raises(RemoteError):
        files.samples_hash(f"{server.url}/a.wav")
    server.fault_every = 0
    assert files.samples_hash(f"{server.url}/a.wav") == files.samples_hash(server.folder / "a.wav")


def test_a_sound_that_was_changed_is_named(server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    path, url = noise(server.folder / "a.wav", 60.0), f"{server.url}/a.wav"
    described = files.describe(url)
    files.require_content(url, described.sha256)
    with SoundReader(url) as reader:
        path.write_bytes(noise(server.folder / "other.wav", 60.0).read_bytes())
        with pytest.raises(RemoteError, match=r"a\.wav: is not the sound that was imported: it was changed"):
            list(reader.blocks())
    monkeypatch.setattr(reference, "FRESH_S", 0.0)
    with pytest.raises(LabeltoolError, match="is not the sound that was imported"):
        files.require_content(url, described.sha256)


def test_offline_what_was_read_can_be_played(server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(server.folder / "a.wav", 300.0)
    url = f"{server.url}/a.wav"
    described = files.describe(url)
    on_disk = files.read_pcm(url, 100.0, 105.0, 16_000)
    monkeypatch.setattr(reference, "FRESH_S", 0.0)
    server.is_down = True
    server.stopped.set()
    monkeypatch.setattr(fetching, "_unreachable_until", {server.url.removeprefix("http://"): float("inf")})
    files.require_content(url, described.sha256)
    np.testing.assert_array_equal(files.read_pcm(url, 100.0, 105.0, 16_000), on_disk)
    with pytest.raises(Unreachable, match="its server cannot be reached"):
        files.read_pcm(url, 200.0, 205.0, 16_000)


def test_a_server_that_is_away_fails_soon(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no connection"):
        files.describe("http://127.0.0.1:9/a.wav")
    with pytest.raises(Unreachable, match="a moment ago"):
        files.describe("http://127.0.0.1:9/b.wav")


def test_the_cache_is_bounded_and_keeps_what_was_used_last(server: SoundServer, own_cache: Path) -> None:
    set_limits(0.001, 5.0)
    for number in range(4):
        path = noise(server.folder / f"{'x' * (number + 1)}.wav", 8.0)
        files.read_pcm(f"{server.url}/{path.name}", 0.0, None, 16_000)
        total = sum(one.stat().st_size for one in own_cache.rglob("*") if one.is_file())
        assert total <= 1.1e6
    last = reference_of(f"{server.url}/xxxx.wav")
    assert last.is_read_whole


def test_a_block_that_a_killed_process_left_halfway_is_fetched_again(server: SoundServer) -> None:
    path, url = noise(server.folder / "a.wav", 20.0), f"{server.url}/a.wav"
    found = files.describe(url)
    assert files.read_pcm(url, 0.0, None, 16_000).any()
    block_cache.block_path(reference_of(url).folder, 3).write_bytes(b"half")
    np.testing.assert_array_equal(files.read_pcm(url, 0.0, None, 16_000), files.read_pcm(path, 0.0, None, 16_000))
    assert found.sha256 == reference_of(url).id


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "local:///etc/passwd",
        "zip://a.wav::https://host/x.zip",
        "simplecache::https://host/a.wav",
        "https://host/a.wav::file:///etc/passwd",
        "data://text/plain,abc",
        "ftp://host/a.wav",
        "https:///a.wav",
        "https://host:port/a.wav",
        "https://host/a b.wav",
        "s3://" + "b" * 5000,
    ],
)
def test_what_is_no_url_of_a_sound_is_refused(url: str) -> None:
    assert is_url(url)
    with pytest.raises(LabeltoolError):
        checked_url(url)
    with pytest.raises(LabeltoolError):
        files.describe(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@host/a.wav",
        "s3://key:hunter2@bucket/a.wav",
        "https://host/a.wav?X-Amz-Signature=hunter2",
        "https://host/a.wav?token=hunter2",
        "https://host/a.wav?sig=hunter2&x=1",
        "https://host/a.wav?private_token=hunter2",
        "https://host/a.wav?client_secret=hunter2",
        "https://host/a.wav?subscription-key=hunter2",
        "https://host/a.wav?pwd=hunter2",
        "https://host/a.wav?auth=hunter2",
        "https://host/a.wav?sas=hunter2",
        "https://host/a.wav#access_token=hunter2",
    ],
)
def test_a_secret_is_neither_taken_nor_shown(url: str) -> None:
    with pytest.raises(LabeltoolError, match="which would be stored") as raised:
        checked_url(url)
    assert "hunter2" not in str(raised.value)


def test_what_a_path_would_change_is_refused_and_small_letters_make_one_scheme() -> None:
    for url in ("s3://b/a//x.wav", "s3://b/./x.wav", "https://h/a?u=https://o/x.wav", "https://h/sounds/12/"):
        assert checked_url(url) == url
        with pytest.raises(LabeltoolError, match="lost here"):
            path_of_url(url)
    assert str(path_of_url("s3://b/season/")) == "s3:/b/season"
    for place in ("HTTPS://host/a.wav", Path("HTTPS://host/a.wav")):
        assert is_url(place) and checked_url(place) == "https://host/a.wav"
    assert checked_url("s3://b/site A/x.wav") == "s3://b/site A/x.wav"
    assert (
        checked_url("https://host/a.wav?author=me&monkey=1#key-note")
        == "https://host/a.wav?author=me&monkey=1#key-note"
    )


@pytest.mark.parametrize(
    ("failure", "raised", "reason"),
    [
        (aiohttp_error("ConnectionTimeoutError"), Unreachable, "no connection"),
        (aiohttp_error("SocketTimeoutError"), RemoteError, "nothing came"),
        (aiohttp_error("ClientConnectorCertificateError"), LabeltoolError, "certificate"),
    ],
)
def test_each_failure_of_a_connection_has_its_reason(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, raised: type[Exception], reason: str
) -> None:
    from labeltool.audio.remote.http import Http

    async def ask(*_: object) -> None:
        raise failure

    monkeypatch.setattr(Http, "_ask", ask)
    with pytest.raises(LabeltoolError, match=reason) as error:
        fetching.find("https://host/a.wav", with_head=False)
    assert type(error.value) is raised


def test_what_was_kept_is_read_on_a_full_disk(server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(server.folder / "a.wav", 8.0)
    url = f"{server.url}/a.wav"
    there = files.read_pcm(url, 0.0, None, 16_000)
    found, kept_ids = reference_of(url), block_cache.kept_ids()
    requests = server.requests
    monkeypatch.setattr(writable, "_instead", {})
    monkeypatch.setattr(writable, "free_bytes", lambda path: 0 if "user cache" in str(path) else 1 << 60)
    assert block_cache.root().name != "remote"
    assert reference_of(url).is_read_whole and block_cache.kept_ids() == kept_ids == [found.id]
    np.testing.assert_array_equal(files.read_pcm(url, 0.0, None, 16_000), there)
    assert server.requests == requests


def test_an_object_that_changes_while_it_is_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from labeltool.audio.remote.object_store import ObjectStore

    class Files:
        versions = iter(("one", "two"))

        def info(self, path: str) -> dict[str, object]:
            return {"size": 4, "ETag": next(self.versions), "type": "file"}

        def cat_file(self, path: str, start: int, end: int) -> bytes:
            return b"1234"[start:end]

    opened = Files()
    monkeypatch.setattr(ObjectStore, "_opened", lambda *_: nullcontext(opened))
    found, _ = fetching.find("s3://bucket/a.wav", with_head=False)
    with pytest.raises(RemoteError, match="it was changed on its server"):
        fetching.read(found, 0, 4)


def test_other_urls_and_paths_are_what_they_are() -> None:
    for url in ("https://host/a/b.wav", "s3://bucket/a.wav", "http://[::1]:8000/a.wav", "sftp://me@host/a.wav"):
        assert checked_url(url) == url == checked_url(Path(url))
    for path in ("/a/b.wav", "a::b.wav", "https.wav", "night/a.wav", "C:/a.wav"):
        assert not is_url(path)


def test_a_redirect_leads_to_no_local_file(server: SoundServer, write_tone: Callable[..., Path]) -> None:
    local = write_tone("secret.wav")
    noise(server.folder / "a.wav", 1.0)
    server.redirects = {"/to_file": f"file://{local}", "/to_sound": "/a.wav"}
    with pytest.raises(LabeltoolError, match="redirects to a URL that is not http or https"):
        files.describe(f"{server.url}/to_file")
    assert files.describe(f"{server.url}/to_sound").frames == 16_000


def test_an_error_names_the_file_and_what_to_do(server: SoundServer) -> None:
    (server.folder / "empty.wav").touch()
    (server.folder / "text.wav").write_text("<html>")
    for name, reason in (("missing.wav", "no such file"), ("empty.wav", "is empty"), ("text.wav", "web page")):
        with pytest.raises(LabeltoolError, match=rf"{name}: .*{reason}"):
            files.describe(f"{server.url}/{name}")


def test_who_waits_for_a_server_that_stalls_ends_at_once_when_it_is_given_up(server: SoundServer) -> None:
    noise(server.folder / "a.wav", 1.0)
    server.fault_every, server.kinds = 1, ("stalls",)
    set_limits(10.0, 600.0)
    raised: list[Exception] = []

    def describe() -> None:
        try:
            files.describe(f"{server.url}/a.wav")
        except LabeltoolError as error:
            raised.append(error)

    thread = threading.Thread(target=describe)
    thread.start()
    until(lambda: server.bytes_sent > 0, "the request")
    give_up(thread)
    thread.join()
    assert "was cancelled" in str(raised[0])


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("labeltool.audio.remote.http", "labeltool.audio.remote.object_store"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    for url in ("https://host/a.wav", "s3://bucket/a.wav"):
        with pytest.raises(
            LabeltoolError, match=r"cannot be read without fsspec \(`pip install 'labeltool\[remote\]'`\)"
        ):
            files.describe(url)


def test_credentials_come_from_netrc(server: SoundServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(server.folder / "a.wav", 1.0)
    server.needs = "Basic " + base64.b64encode(b"me:hunter2").decode()
    with pytest.raises(LabeltoolError, match=r"needs credentials \(401\)"):
        files.describe(f"{server.url}/a.wav")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert files.describe(f"{server.url}/a.wav").frames == 16_000


def test_the_reference_is_url_size_and_etag(server: SoundServer) -> None:
    path, url = noise(server.folder / "a.wav", 1.0), f"{server.url}/a.wav"
    etag = f'"{hashlib.md5(path.read_bytes()).hexdigest()}"'
    assert reference_of(url) == reference.Reference(url, path.stat().st_size, etag)
    assert dict(files.describe(url).columns) == {"size_bytes": str(path.stat().st_size), "etag": etag}

"""Published models are fetched from a server of the test's own: verified, resumed, and explained when out of reach."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from ear_helpers import quiet
from test_command_line import labeltool

from labeltool.errors import LabeltoolError
from labeltool.pretrained import download
from labeltool.project import Project

CONTENT = np.random.default_rng(0).bytes(300_000)


@dataclass
class Server:
    """What a server gives, where it breaks off, whether it goes on where asked, and what it was asked."""

    address: str = ""
    content: bytes = CONTENT
    breaks_off_after: int | None = None
    resumes: bool = True
    asked: list[str | None] = field(default_factory=list)

    def offer(self) -> download.Offer:
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        url = f"{self.address}/net.tflite"
        return download.Offer("a model", url, "net.tflite", len(CONTENT), sha256, "CC0-1.0", 16_000)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on this machine."""
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            told.asked.append(wanted)
            first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and told.resumes else 0
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(told.content) - first))
            self.end_headers()
            self.wfile.write(told.content[first : told.breaks_off_after])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        told.address = f"http://127.0.0.1:{made.server_address[1]}"
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield told
        made.shutdown()
        thread.join()


@pytest.mark.parametrize("resumes", [True, False])
def test_a_download_that_broke_off_goes_on_and_is_made_once(server: Server, tmp_path: Path, resumes: bool) -> None:
    server.breaks_off_after, server.resumes = 100_000, resumes
    with pytest.raises(LabeltoolError, match=r"broke off after 100,000 of 300,000 bytes .*try again") as broken:
        download.fetch(server.offer(), report=quiet, cache=tmp_path)
    assert "labeltool model add net.tflite" in str(broken.value)
    server.breaks_off_after = None
    seen: list[int] = []
    found = download.fetch(server.offer(), report=lambda _, done, *__: seen.append(done), cache=tmp_path)
    assert found.read_bytes() == CONTENT and server.asked == [None, "bytes=100000-"]
    assert (min(seen) > 100_000) is resumes and seen[-1] == 300_000
    assert download.fetch(server.offer(), report=quiet, cache=tmp_path) == found and len(server.asked) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["net.tflite"]


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"?", CONTENT + b"more"])
def test_what_is_not_the_published_model_is_not_kept(server: Server, tmp_path: Path, content: bytes) -> None:
    server.content = content if len(content) == len(CONTENT) else b"?" + content
    with pytest.raises(LabeltoolError, match="is not the model that was published"):
        download.fetch(server.offer(), report=quiet, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.content = CONTENT
    assert download.fetch(server.offer(), report=quiet, cache=tmp_path).read_bytes() == CONTENT


def test_a_cached_file_that_was_damaged_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    found = download.fetch(server.offer(), report=quiet, cache=tmp_path)
    found.write_bytes(CONTENT[:1000])
    assert download.fetch(server.offer(), report=quiet, cache=tmp_path).read_bytes() == CONTENT


def test_a_model_that_is_fetched_twice_at_once_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as both:
        fetched = [both.submit(download.fetch, server.offer(), report=quiet, cache=tmp_path) for _ in range(2)]
        assert {one.result().read_bytes() for one in fetched} == {CONTENT}
    assert server.asked == [None]


def test_a_server_that_refuses_is_named(server: Server, tmp_path: Path) -> None:
    offer = replace(server.offer(), url="http://127.0.0.1:1/net.tflite")
    with pytest.raises(LabeltoolError, match=r"^http://127\.0\.0\.1:1/net\.tflite: cannot be fetched: "):
        download.fetch(offer, report=quiet, cache=tmp_path)


def test_offline_it_says_what_to_get_and_which_command_takes_it(project: Project, tmp_path: Path) -> None:
    at = ("--project", project.directory, "model", "fetch")
    nowhere = {"https_proxy": "http://127.0.0.1:1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = labeltool(*at, "yamnet", check=1, **nowhere)
    offer = download.offers()["yamnet"]
    said = done.stderr.splitlines()
    assert len(said) == 2 and "Apache-2.0" in said[0] and done.stdout == ""
    assert offer.url in said[1] and "labeltool model add yamnet.tflite" in said[1]
    assert "there are: yamnet" in labeltool(*at, "nosuch", check=1).stderr


def test_what_is_offered_is_what_was_measured(project: Project, real_data: Path, tmp_path: Path) -> None:
    offer = download.offers()["yamnet"]
    content = (real_data / "models" / "yamnet" / "yamnet.tflite").read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (offer.bytes, offer.sha256)
    # As if fetched before: it is taken from the user's cache into the project.
    cached = tmp_path / "cache" / "labeltool" / offer.file
    cached.parent.mkdir(parents=True)
    cached.write_bytes(content)
    done = labeltool("--project", project.directory, "model", "fetch", "yamnet", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert "added yamnet: 521 classes, scores are probabilities; embedding: tensor 115" in done.stderr

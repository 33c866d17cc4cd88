"""Published models are downloaded from a server of the test: verified, resumed, and explained when out of reach."""

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

from helpers.command_line import labeltool_here
from helpers.progress import quiet
from labeltool.errors import LabeltoolError
from labeltool.pretrained import download
from labeltool.project import Project

CONTENT = np.random.default_rng(0).bytes(300_000)


@dataclass
class Server:
    """What a server sends, where it stops, whether it resumes, and the ranges that were requested."""

    address: str = ""
    content: bytes = CONTENT
    stops_after: int | None = None
    resumes: bool = True
    requested: list[str | None] = field(default_factory=list)

    def model(self) -> download.PublishedModel:
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        url = f"{self.address}/net.tflite"
        return download.PublishedModel("a model", url, "net.tflite", len(CONTENT), sha256, "CC0-1.0", 16_000)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on this machine."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.requested.append(wanted)
            first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.resumes else 0
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(state.content) - first))
            self.end_headers()
            self.wfile.write(state.content[first : state.stops_after])

        def log_message(self, *_: object) -> None:
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        state.address = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield state
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize("resumes", [True, False])
def test_an_interrupted_download_is_resumed_and_made_once(server: Server, tmp_path: Path, resumes: bool) -> None:
    server.stops_after, server.resumes = 100_000, resumes
    with pytest.raises(LabeltoolError, match=r"was interrupted after 100,000 of 300,000 bytes .*try again") as broken:
        download.fetch(server.model(), report=quiet, cache=tmp_path)
    assert "labeltool model add net.tflite" in str(broken.value)
    server.stops_after = None
    seen: list[int] = []
    found = download.fetch(server.model(), report=lambda _, done, *__: seen.append(done), cache=tmp_path)
    assert found.read_bytes() == CONTENT and server.requested == [None, "bytes=100000-"]
    assert (min(seen) > 100_000) is resumes and seen[-1] == 300_000
    assert download.fetch(server.model(), report=quiet, cache=tmp_path) == found and len(server.requested) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "net.tflite"]


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"?", CONTENT + b"more"])
def test_what_is_not_the_published_model_is_not_kept(server: Server, tmp_path: Path, content: bytes) -> None:
    server.content = content if len(content) == len(CONTENT) else b"?" + content
    with pytest.raises(LabeltoolError, match="is not the model that was published"):
        download.fetch(server.model(), report=quiet, cache=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    server.content = CONTENT
    assert download.fetch(server.model(), report=quiet, cache=tmp_path).read_bytes() == CONTENT


def test_a_damaged_cached_file_is_downloaded_again(server: Server, tmp_path: Path) -> None:
    found = download.fetch(server.model(), report=quiet, cache=tmp_path)
    found.write_bytes(CONTENT[:1000])
    assert download.fetch(server.model(), report=quiet, cache=tmp_path).read_bytes() == CONTENT


def test_two_processes_download_a_model_once(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as both:
        fetched = [both.submit(download.fetch, server.model(), report=quiet, cache=tmp_path) for _ in range(2)]
        assert {one.result().read_bytes() for one in fetched} == {CONTENT}
    assert server.requested == [None]


def test_a_server_that_refuses_is_named(server: Server, tmp_path: Path) -> None:
    model = replace(server.model(), url="http://127.0.0.1:1/net.tflite")
    with pytest.raises(LabeltoolError, match=r"^http://127\.0\.0\.1:1/net\.tflite: cannot be downloaded: "):
        download.fetch(model, report=quiet, cache=tmp_path)


def test_offline_the_error_names_the_file_and_the_command_that_adds_it(project: Project, tmp_path: Path) -> None:
    at = (project, "model", "fetch")
    nowhere = {"https_proxy": "http://127.0.0.1:1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = labeltool_here(*at, "yamnet", check=1, **nowhere)
    model = download.published_models()["yamnet"]
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and "Apache-2.0" in lines[0] and done.stdout == ""
    assert model.url in lines[1] and "labeltool model add yamnet.tflite" in lines[1]
    assert "there are: yamnet" in labeltool_here(*at, "nosuch", check=1).stderr


def test_the_published_model_is_the_measured_one(project: Project, real_data: Path, tmp_path: Path) -> None:
    model = download.published_models()["yamnet"]
    content = (real_data / "models" / "yamnet" / "yamnet.tflite").read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (model.bytes, model.sha256)
    # As if fetched before: it is taken from the user's cache into the project.
    cached = tmp_path / "cache" / "labeltool" / model.file
    cached.parent.mkdir(parents=True)
    cached.write_bytes(content)
    done = labeltool_here(project, "model", "fetch", "yamnet", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert "added yamnet: 521 classes, scores are probabilities; embedding: tensor 115" in done.stderr

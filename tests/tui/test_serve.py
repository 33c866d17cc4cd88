"""The app in a browser: the real server, used as textual-serve's page does."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pytest

from helpers.app import fill, verdicts
from helpers.processes import alive
from helpers.serve import Server, browser
from helpers.waits import DEADLINE_S, until
from labeltool.project import Project
from labeltool.store import Store


class Page:
    """What the page's script does: keys go out, what the terminal is to show comes in."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._painted = b""

    async def until(self, text: str) -> None:
        """Wait until a text was painted since the last key."""
        async with asyncio.timeout(DEADLINE_S):
            while text.encode() not in self._painted:
                message = await self._socket.receive()
                if message.type is aiohttp.WSMsgType.TEXT and message.data.startswith('["sound", '):
                    continue
                assert message.type is aiohttp.WSMsgType.BINARY, (message, text, self._painted)
                self._painted += message.data

    async def press(self, keys: str) -> None:
        self._painted = b""
        await self._socket.send_json(["stdin", keys])

    async def send(self, message: str) -> None:
        await self._socket.send_str(message)

    async def closed(self) -> int | None:
        """Wait until the server closes the page's line, and return its code."""
        async with asyncio.timeout(DEADLINE_S):
            async for _ in self._socket:
                pass
        return self._socket.close_code


@asynccontextmanager
async def page_of(server: Server, *, width: int = 120, height: int = 30) -> AsyncIterator[Page]:
    async with (
        browser(server) as client,
        client.ws_connect(f"{server.url}/ws?width={width}&height={height}", headers={"Origin": server.url}) as socket,
    ):
        yield Page(socket)


@pytest.fixture
def app_project(new_project: Callable[[Path], Project], tmp_path: Path) -> Project:
    """A project in a folder whose name a shell would take apart."""
    folder = tmp_path / "it's $(touch here); a b"
    return fill(new_project(folder), tmp_path / "sounds", 4)


async def test_a_key_in_the_page_writes_the_verdict_and_quitting_ends_the_page_not_the_server(
    server: Server, reading: Store
) -> None:
    assert "sound is played by the browser" in server.output
    async with page_of(server) as page:
        await page.until("▀")  # the picture
        await page.press("n")
        await page.until("1 of 4")
        assert [value for _, _, value, _ in verdicts(reading)] == ["absent"]
        (app_pid,) = server.apps()
        assert Path(f"/proc/{app_pid}/fd/2").readlink().name == "app.log"  # what libraries print is not drawn
        await page.press("q")
        assert await page.closed() is not None
    until(lambda: not alive(app_pid), "the app's end")
    async with page_of(server) as page:
        await page.until("1 of 4")
        await page.press("d")
        await page.until("2 of 4")
    # The page was closed in the middle of things: its room leaves too.
    until(lambda: not server.apps(), "the second app's end")
    assert len(verdicts(reading)) == 2
    code, stdout, stderr = server.end(signal.SIGINT)
    assert (code, stdout, stderr) == (0, "", "")


async def test_ctrl_c_at_the_server_ends_the_open_apps(server: Server, reading: Store) -> None:
    async with page_of(server) as page:
        await page.until("▀")
        await page.press("n")
        await page.until("1 of 4")
        (app_pid,) = server.apps()
        ended, closed = await asyncio.gather(asyncio.to_thread(server.end, signal.SIGINT), page.closed())
        assert ended == (0, "", "")
        assert closed is not None
        await asyncio.to_thread(until, lambda: not alive(app_pid), "the app's end")
    assert len(verdicts(reading)) == 1


async def test_a_killed_server_leaves_no_app_behind(server: Server, reading: Store) -> None:
    async with page_of(server) as page:
        await page.until("▀")
        await page.press("n")
        await page.until("1 of 4")
        (app_pid,) = server.apps()
        server.end(signal.SIGKILL)
        await asyncio.to_thread(until, lambda: not alive(app_pid), "the app's end")
    assert len(verdicts(reading)) == 1


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
async def test_term_and_hup_end_the_server_and_its_apps(server: Server, ending: signal.Signals) -> None:
    async with page_of(server) as page:
        await page.until("▀")
        (app_pid,) = server.apps()
        ended = await asyncio.to_thread(server.end, ending)
        assert ended == (0, "", "")
        assert not alive(app_pid)


async def test_the_page_loads_nothing_from_elsewhere_and_pages_from_elsewhere_get_nothing(server: Server) -> None:
    port = server.url.rpartition(":")[2]
    async with browser(server) as client:
        async with client.get(server.url) as page:
            assert page.status == 200
            sources = page.headers["Content-Security-Policy"].replace(";", "").split()
            assert {word for word in sources if "//" in word} == {server.url, f"ws://127.0.0.1:{port}"}
            text = await page.text()
            assert "//" not in re.sub(r"<!--.*?-->", "", text)
            assert "<title>labeltool: it&#x27;s $(touch here); a b</title>" in text
        async with client.get(f"{server.url}/static/js/textual.js") as script:
            assert script.status == 200
        for strange in ({"Origin": "http://evil.example"}, {"Host": f"evil.example:{port}"}, {"Origin": "null"}):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await client.ws_connect(f"{server.url}/ws", headers=strange)
    assert server.apps() == []


async def test_without_the_secret_there_is_nothing(server: Server) -> None:
    wrong = server.address[:-1] + ("a" if server.address[-1] != "a" else "b")
    async with aiohttp.ClientSession() as client:
        async with client.get(server.address, allow_redirects=False) as answer:
            (name,) = answer.cookies
        cookie = {"Cookie": f"{name}=\xe9"}
    async with aiohttp.ClientSession() as client:
        for path in (
            "/",
            "/static/js/textual.js",
            "/static/",
            "/player.js",
            "/sound/x",
            "/download/x",
            "/ws",
            "/nowhere",
            "/?token=",
            "/?token=é",
        ):
            for headers in ({}, cookie):
                async with client.get(f"{server.url}{path}", headers=headers) as answer:
                    assert (answer.status, answer.cookies) == (403, {}), path
        async with client.get(wrong) as answer:
            assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await client.ws_connect(f"{server.url}/ws", headers={"Origin": server.url})
        async with client.get(server.address, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            (morsel,) = answer.cookies.values()
            assert morsel["httponly"] and morsel["samesite"] == "Strict"
    assert server.apps() == []


async def test_the_page_opens_through_a_forwarded_port(server: Server) -> None:
    forwarded = {"Host": "localhost:9000"}  # ssh -L 9000:127.0.0.1:PORT
    async with browser(server) as client:
        async with client.get(server.url, headers=forwarded) as page:
            assert page.status == 200
            assert "http://localhost:9000 ws://localhost:9000 " in page.headers["Content-Security-Policy"]
        origin = {**forwarded, "Origin": "http://localhost:9000"}
        async with client.ws_connect(f"{server.url}/ws", headers=origin) as socket:
            assert (await socket.receive()).type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)
        for elsewhere in ("http://localhost:9001", "http://127.0.0.1:9000", "https://localhost:9000"):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await client.ws_connect(f"{server.url}/ws", headers={**forwarded, "Origin": elsewhere})


async def test_other_machines_get_in_only_by_an_option_and_need_the_secret(app_project: Project) -> None:
    with closing(Server(app_project, "--host", "0.0.0.0")) as server:
        assert "over the network unencrypted" in server.output
        port = server.url.rpartition(":")[2]
        assert f"//{socket.gethostname()}:" in server.url
        local, secret = f"http://127.0.0.2:{port}", server.address.rpartition("=")[2]
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
            async with client.get(local) as page:
                assert page.status == 403
            async with client.get(f"{local}/?token={secret}") as page:
                assert page.status == 200
            async with client.get(local, headers={"Host": f"elsewhere.example:{port}"}) as page:
                assert page.status == 403


async def test_two_pages_label_under_two_names_and_get_two_clips(project: Project, tmp_path: Path) -> None:
    fill(project, tmp_path / "sounds", 12)  # each page claims some ahead

    async def label(page: Page) -> None:
        await page.until("▀")
        await page.press("n")
        await page.until("none of these")

    with closing(Server(project, "--annotator", "ann")) as server:
        async with page_of(server) as one, page_of(server) as other:
            await asyncio.gather(label(one), label(other))
    with project.open_store() as store:
        rows = store.connection.execute("SELECT annotator, clip_id FROM active_events ORDER BY id").fetchall()
    assert {row["annotator"] for row in rows} == {"ann", "ann-2"}
    assert rows[0]["clip_id"] != rows[1]["clip_id"]


async def test_no_more_pages_than_allowed_are_open_and_no_size_is_larger_than_a_screen(app_project: Project) -> None:
    with closing(Server(app_project, "--sessions", "1")) as server:
        async with browser(server) as client, page_of(server, width=10**9, height=10**9):
            await asyncio.to_thread(until, server.apps, "the app")
            (app_pid,) = server.apps()
            environment = Path(f"/proc/{app_pid}/environ")
            await asyncio.to_thread(until, lambda: b"ROWS=" in environment.read_bytes(), "its environment")
            assert {b"COLUMNS=600", b"ROWS=240"} <= set(environment.read_bytes().split(b"\0"))
            async with client.get(server.url) as full:
                assert full.status == 503
                assert "1 pages are open already" in await full.text()
            with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                await client.ws_connect(f"{server.url}/ws", headers={"Origin": server.url})
            assert server.apps() == [app_pid]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("[" * 60_000, aiohttp.WSCloseCode.POLICY_VIOLATION),
        ('["stdin", 1]', aiohttp.WSCloseCode.POLICY_VIOLATION),
        ('["resize", {"width": 1e999, "height": 5}]', aiohttp.WSCloseCode.POLICY_VIOLATION),
        ('["stdin", "' + "x" * (1 << 17) + '"]', aiohttp.WSCloseCode.MESSAGE_TOO_BIG),
    ],
)
async def test_what_the_pages_script_does_not_send_closes_the_page(server: Server, message: str, code: int) -> None:
    async with page_of(server) as page:
        await page.send(message)
        assert await page.closed() == code
    await asyncio.to_thread(until, lambda: not server.apps(), "the app's end")


def label_serve(project: Project, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(sys.executable, "-m", "labeltool", "--project", str(project.directory)), "label", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE_S,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_port_in_use_an_empty_project_and_a_missing_extra_are_refused_in_one_line(
    app_project: Project, project: Project, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = label_serve(app_project, "--serve", "--port", str(port))
    assert done.returncode == 1
    assert re.fullmatch(
        rf"labeltool: cannot use port {port} of 127\.0\.0\.1: .*\(choose another with --host or --port\)\n", done.stderr
    )
    done = label_serve(project, "--serve")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "no clips yet" in done.stderr
    # An interpreter without textual-serve.
    (tmp_path / "textual_serve.py").write_text("raise ModuleNotFoundError(name='textual_serve')")
    done = label_serve(app_project, "--serve", PYTHONPATH=str(tmp_path))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "pip install textual-serve" in done.stderr
    for option in ("--host", "--port", "--sessions"):
        done = label_serve(app_project, option, "8000")
        assert done.returncode == 2
        assert "--serve" in done.stderr


async def test_an_annotators_name_may_contain_anything(app_project: Project, reading: Store) -> None:
    name = "--o'neil $(touch here)"
    with closing(Server(app_project, f"--annotator={name}", "--port", str(free_port()))) as server:
        async with page_of(server) as page:
            await page.until("▀")
            await page.press("n")
            await page.until("1 of 4")
    assert [row["annotator"] for row in reading.connection.execute("SELECT annotator FROM active_events")] == [name]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])

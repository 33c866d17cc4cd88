"""A real browser without a window, driven through the DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from helpers.waits import DEADLINE_S

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="needs chromium")


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._on_event: dict[str, Callable[[Any], None]] = {}

    def on(self, event: str, function: Callable[[Any], None]) -> None:
        """Call a function with the parameters of each event of a name, which arrive while answers are waited for."""
        self._on_event[event] = function

    async def do(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(DEADLINE_S):
            while (answer := await self._socket.receive_json()).get("id") != number:
                if (function := self._on_event.get(answer.get("method", ""))) is not None:
                    function(answer["params"])
        assert "error" not in answer, answer
        return answer["result"]

    async def value(self, expression: str) -> Any:
        """Return the value of JavaScript, of a promise too."""
        done = await self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until JavaScript is true, as any object is, and return its value."""
        async with asyncio.timeout(DEADLINE_S):
            while (value := await self.value(expression)) in (None, False, 0, ""):
                await asyncio.sleep(0.05)
        return value

    async def press(self, key: str) -> None:
        """Press and release a key with a letter."""
        await self.do("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.do("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def click(self, selector: str) -> None:
        """Press and release the mouse on an element, as a person does: scripts may then play sound."""
        place = await self._middle_of(selector)
        for kind in ("mousePressed", "mouseReleased"):
            await self.do("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    async def drop(self, selector: str, *files: Path) -> None:
        """Drag files over an element and drop them there."""
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        place = await self._middle_of(selector)
        for kind in ("dragEnter", "dragOver", "drop"):
            await self.do("Input.dispatchDragEvent", type=kind, data=data, **place)

    async def _middle_of(self, selector: str) -> dict[str, float]:
        """Scroll to an element, and return where its middle is."""
        x, y = await self.value(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.scrollIntoView();"
            " const { x, y, width, height } = one.getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()"
        )
        return {"x": x, "y": y}

    async def choose_files(self, selector: str, *files: Path) -> None:
        """Choose files in a file input."""
        document = await self.do("DOM.getDocument")
        found = await self.do("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        await self.do("DOM.setFileInputFiles", nodeId=found["nodeId"], files=[str(file) for file in files])

    async def screenshot(self, path: Path) -> None:
        """Save a picture of the page."""
        path.write_bytes(base64.b64decode((await self.do("Page.captureScreenshot"))["data"]))


@asynccontextmanager
async def open_tab(
    profile: Path, *, script: str = "", size: tuple[int, int] = (1200, 700), flags: Sequence[str] = ()
) -> AsyncIterator[Tab]:
    """Start the browser with an empty page; `script` runs before those of every page that it opens."""
    assert PROGRAM is not None
    browser = await asyncio.create_subprocess_exec(
        *(PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"),
        *(f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", *flags, "about:blank"),
        stdout=DEVNULL,
        stderr=PIPE,
    )
    assert browser.stderr is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            while b"DevTools listening on" not in (line := await browser.stderr.readline()):
                assert line, "chromium has ended"
        draining = asyncio.create_task(browser.stderr.read())
        root = line.split()[-1].decode().replace("ws://", "http://").partition("/devtools/")[0]
        async with aiohttp.ClientSession() as client:
            async with client.get(f"{root}/json/list") as pages:
                (page,) = [page for page in await pages.json() if page["type"] == "page"]
            async with client.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=1 << 28) as socket:
                tab = Tab(socket)
                await tab.do("Page.addScriptToEvaluateOnNewDocument", source=script)
                await tab.do("Page.enable")
                yield tab
    finally:
        browser.terminate()
        await browser.wait()
    await draining

"""The sound of the app in a browser: fetched as a browser does, and played by a real one."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import soundfile

from helpers.app import fill, verdicts
from helpers.chromium import needs_chromium, open_tab
from helpers.serve import Server, browser
from helpers.waits import DEADLINE_S
from labeltool.project import Project
from labeltool.store import Store, clips
from labeltool.tui.media.clip_picture import PLAYBACK_RATE_HZ, load_clip

# What the page schedules, and how loud the loudspeaker gets at most. A busy browser leaves out what it cannot play in
# time, which is seen in neither.
_TAP = """
window.scheduled = [];
window.loudest = 0;
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, offset, seconds) {
  const [first, frames] = [offset, seconds].map((time) => Math.round(time * this.buffer.sampleRate));
  const samples = Array.from(this.buffer.getChannelData(0).subarray(first, first + frames));
  window.scheduled.push({ sound: player.wanted.sound, speed: this.playbackRate.value, samples });
  return start.call(this, when, offset, seconds);
};
const connect = AudioNode.prototype.connect;
const module = URL.createObjectURL(new Blob([`registerProcessor("tap", class extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) this.port.postMessage(Math.max(...input[0].map(Math.abs)));
    return true;
  }
})`], { type: "text/javascript" }));
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode) {
    target.context.audioWorklet.addModule(module).then(() => {
      window.tap = new AudioWorkletNode(target.context, "tap", { numberOfOutputs: 0 });
      window.tap.port.onmessage = ({ data }) => (window.loudest = Math.max(window.loudest, data));
      connect.call(this, window.tap);
    });
  }
  return connect.call(this, target, ...rest);
};
"""
# The page stops at the end of what it has played; the app may send the clip's beginning again soon after.
_WATCH_ENDS = """
const stop = player.stop;
player.stop = function (at) {
  if (at === this.wanted?.last) window.ended = this.wanted.sound;
  return stop.call(this, at);
};
"""
_ENDED = "window.ended === player.wanted.sound"


@pytest.fixture
def app_project(project: Project, tmp_path: Path) -> Project:
    return fill(project, tmp_path / "sounds", 12)


async def first_state(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """Return what the page is to play first."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                kind, state = json.loads(message.data)
                if kind == "sound" and "state" in state and state["frames"]:
                    return dict(state)


async def opened_sound(client: aiohttp.ClientSession, server: Server) -> AsyncIterator[dict[str, Any]]:
    headers = {"Origin": server.url}
    async with client.ws_connect(f"{server.url}/ws?width=100&height=30", headers=headers) as socket:
        yield await first_state(socket)


async def test_a_sound_is_fetched_whole_and_in_ranges_by_who_has_the_secret(server: Server, reading: Store) -> None:
    sources = [load_clip(clip).samples for clip in clips.unlabelled(reading)]
    async with browser(server) as client:
        async for state in opened_sound(client, server):
            url = f"{server.url}/sound/{state['sound']}"
            async with client.get(url) as answer:
                assert (answer.status, answer.headers["Accept-Ranges"]) == (200, "bytes")
                whole = await answer.read()
            samples, rate = soundfile.read(io.BytesIO(whole), dtype="int16")
            assert rate == PLAYBACK_RATE_HZ
            assert len(samples) == state["frames"]
            assert any(np.array_equal(samples, source) for source in sources)
            for range_, expected in {
                "bytes=0-99": whole[:100],
                "bytes=45-60": whole[45:61],
                "bytes=-7": whole[-7:],
                f"bytes={len(whole) - 3}-": whole[-3:],
            }.items():
                async with client.get(url, headers={"Range": range_}) as answer:
                    assert answer.status == 206
                    assert await answer.read() == expected
                    assert answer.headers["Content-Range"].endswith(f"/{len(whole)}")
            for wrong in (f"bytes={len(whole)}-", "bytes=9-4", "bytes=a-b"):
                async with client.get(url, headers={"Range": wrong}) as answer:
                    assert answer.status == 416
            async with client.get(url[:-1]) as answer:
                assert answer.status == 404
            async with aiohttp.ClientSession() as stranger, stranger.get(url) as answer:
                assert answer.status == 403
        # The page is closed, and its sound with it.
        async with client.get(url) as answer:
            assert answer.status == 404


@needs_chromium
async def test_ten_clips_are_labelled_by_keys_in_a_real_browser_that_plays_them(
    server: Server, reading: Store, tmp_path: Path
) -> None:
    sources = [load_clip(clip).samples for clip in clips.unlabelled(reading)]
    async with open_tab(tmp_path / "profile", script=_TAP) as tab:
        await tab.do("Page.setBypassCSP", enabled=True)  # of the tap's module
        await tab.do("Page.navigate", url=server.url)
        assert "open the address" in await tab.until("document.body?.textContent")
        assert not server.apps()
        await tab.do("Page.navigate", url=server.address)
        await tab.until("typeof player !== 'undefined' && player.wanted?.frames && window.tap")
        assert await tab.value("player.context.state") == "suspended"  # browsers ask for a key first
        await tab.value(_WATCH_ENDS)
        await tab.press(" ")
        await tab.until(_ENDED)  # once
        for done in range(10):
            before = await tab.value("player.wanted.sound")
            await tab.press("n")
            await tab.until(f"player.wanted.sound !== '{before}' && {_ENDED}")
            assert len(verdicts(reading)) == done + 1
            pieces = await tab.value("scheduled.filter(({ sound }) => sound === window.ended)")
            assert {piece["speed"] for piece in pieces} == {1}
            played = np.rint(np.concatenate([piece["samples"] for piece in pieces]) * 32768)
            (source,) = (one for one in sources if np.array_equal(one, played[: len(one)]))
            await tab.until(f"loudest > {0.9 * np.abs(source).max() / 32768}")
            await tab.value("window.loudest = 0")
        title, focused = await tab.value("[document.title, document.activeElement.className]")
        assert (title, focused) == ("labeltool: project", "xterm-helper-textarea")
        columns = await tab.value("document.querySelector('.xterm-screen').clientWidth")
        await tab.do("Emulation.setDeviceMetricsOverride", width=700, height=500, deviceScaleFactor=1, mobile=False)
        await tab.until(f"document.querySelector('.xterm-screen').clientWidth < {columns} - 300")
        await tab.screenshot(tmp_path / "page.png")
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)

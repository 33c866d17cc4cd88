"""The page to try a model, in a real browser."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.axe import violations
from helpers.chromium import Tab, needs_chromium, open_tab
from helpers.command_line import labeltool
from helpers.level_network import HOSTILE
from helpers.serve import PageServer
from labeltool.annotation import next_clips
from labeltool.project import Project

_BYTES = "window.sounds.at(-1).arrayBuffer().then((buffer) => Array.from(new Uint8Array(buffer)))"


# The sounds that the player got; what was played to its end: the address, and the length in seconds.
_TAP = """
window.played = [];
const { play } = HTMLMediaElement.prototype;
HTMLMediaElement.prototype.play = function () {
  this.addEventListener("ended", () => window.played.push([this.src, this.duration]));
  return play.call(this);
};
window.sounds = [];
const { createObjectURL } = URL;
URL.createObjectURL = (sound) => {
  window.sounds.push(sound);
  return createObjectURL(sound);
};
"""


def level(path: Path, *levels: float, rate: int = 16_000, part_s: float = 1.0) -> Path:
    """Write a sound whose mean sample is each of some levels in turn."""
    rng = np.random.default_rng(len(path.name))
    parts = [value + rng.normal(0, 0.01, round(part_s * rate)) for value in levels]
    soundfile.write(path, np.concatenate(parts), rate, subtype="PCM_16")
    return path


async def found(tab: Tab) -> str:
    """Wait until the sound is worked on, and return what the page says of it."""
    await tab.until(
        "!document.getElementById('found').hidden || document.getElementById('status').className === 'failed'"
    )
    return str(await tab.value("document.getElementById('status').textContent"))


@asynccontextmanager
async def page(server: PageServer, folder: Path, *flags: str, width: int = 1100) -> AsyncIterator[Tab]:
    async with open_tab(folder / "profile", script=_TAP, size=(width, 900), flags=flags) as tab:
        await tab.do("Page.navigate", url=server.address)
        await tab.until("document.readyState === 'complete' && document.getElementById('record') !== null")
        yield tab


@needs_chromium
async def test_a_file_is_classified_its_neighbours_play_and_it_becomes_the_next_clip(
    server: PageServer, labelled: Project, tmp_path: Path
) -> None:
    name = "<img src=x onerror='document.title = 1'>.wav"
    sound = level(tmp_path / name, 0.4, -0.4)
    async with page(server, tmp_path) as tab:
        await tab.choose_files("#file", sound)
        assert "most probable is" in await found(tab)
        expected = json.loads(
            labeltool(*(labelled, "classify", sound, "--model", "pretrained", "--top", "5", "--json")).stdout
        )
        rows = await tab.value(
            "[...document.querySelectorAll('#classes tbody tr')].map(({ dataset }) => [dataset.label, +dataset.score])"
        )
        assert rows == [[one["label"], one["score"]] for one in expected["scores"]]
        shown = await tab.value(
            "[...document.querySelectorAll('#windows tbody tr')].map((row) => row.firstChild.textContent)"
        )
        assert shown == [f"{one['start_s']:.2f} to {one['end_s']:.2f}" for one in expected["windows"]]
        # The position moves over the classes.
        await tab.value("document.getElementById('player').currentTime = 1.5, 0")
        assert "Below" in await tab.until(
            "/At 1.5/.test(document.getElementById('now').textContent) && document.getElementById('now').textContent"
        )
        assert await tab.value("document.querySelector('#strip .head').style.left") == "75%"
        # Text of others stays text.
        title = await tab.value("document.getElementById('found-title').textContent")
        assert title == f"{name}, 2.0 s"
        labels = await tab.value("[...document.querySelectorAll('#neighbours strong')].map((one) => one.textContent)")
        assert HOSTILE in labels and "below" in labels
        assert await tab.value("document.querySelectorAll('#found img, #found b').length") == 0
        assert await tab.value("document.title") == "project: try the model"
        # A neighbour plays.
        await tab.click("#neighbours button")
        await tab.until("window.played.length === 1")
        ((source, seconds),) = await tab.value("window.played")
        assert source.startswith(f"{server.url}/clips/")
        assert seconds == pytest.approx(0.2, abs=0.01)
        played = await tab.value("performance.getEntriesByType('resource').map(({ name }) => name)")
        assert all(one.startswith((server.url, "blob:")) for one in played)
        assert await violations(tab) == []
        await tab.click("#send")
        assert "next clip" in await tab.until(
            "/queue/.test(document.getElementById('sent').textContent) && document.getElementById('sent').textContent"
        )
    with labelled.open_store() as store:
        (clip,) = next_clips.next_clips(store, 1, annotator="ann")
    assert Path(clip.path).read_bytes() == sound.read_bytes()


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_is_accessible_and_fits_a_phone(server: PageServer, tmp_path: Path, scheme: str) -> None:
    async with page(server, tmp_path, width=500) as tab:
        await tab.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        await tab.do("Emulation.setDeviceMetricsOverride", width=360, height=700, deviceScaleFactor=1, mobile=True)
        assert await violations(tab) == []
        await tab.choose_files("#file", level(tmp_path / "a.wav", 0.4))
        await found(tab)
        await tab.value("document.querySelector('#windows').open = true, 0")
        assert await violations(tab) == []
        assert await tab.value("document.documentElement.scrollWidth") <= 360


@needs_chromium
async def test_the_microphone_is_recorded_as_it_is(server: PageServer, tmp_path: Path) -> None:
    microphone = level(tmp_path / "microphone.wav", 0.4, rate=48_000, part_s=20.0)
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    async with page(server, tmp_path, *flags, f"--use-file-for-fake-audio-capture={microphone}") as tab:
        await tab.click("#record")
        await tab.until("parseFloat(document.getElementById('elapsed').textContent) >= 1.5")
        await tab.click("#record")
        assert "most probable is Above, high" in await found(tab)
        samples, rate = soundfile.read(io.BytesIO(bytes(await tab.value(_BYTES))))
        assert len(samples) >= 1.4 * rate  # the page rounds
        assert samples.ndim == 1
        # Neither gain control nor a filter has changed what came from the microphone.
        assert np.median(samples) == pytest.approx(0.4, abs=0.02)


@needs_chromium
async def test_files_that_cannot_be_read_are_one_line_and_one_that_is_dropped_is_tried(
    server: PageServer, tmp_path: Path, temporary: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\x00")
    (tmp_path / "video.webm").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(500))
    long = level(tmp_path / "long.wav", 0.4, part_s=31.0)
    async with page(server, tmp_path) as tab:
        for file, reason in (("a.wav", "a.wav: "), ("video.webm", "is Matroska or WebM"), (long.name, "lasts 31 s")):
            await tab.choose_files("#file", tmp_path / file)
            shown = await found(tab)
            assert reason in shown and file in shown and str(temporary) not in shown, shown
            await tab.value("document.getElementById('status').className = '', 0")
        await tab.drop("#drop", level(tmp_path / "b.wav", 0.4))
        assert "most probable is Above, high" in await found(tab)
    (folder,) = temporary.glob("labeltool-serve-*")
    assert list(folder.iterdir()) == []


# A WebM file, made as a page would make one, is chosen.
_WEBM = """(async () => {
  const context = new AudioContext();
  const [tone, stream] = [context.createOscillator(), context.createMediaStreamDestination()];
  tone.connect(stream);
  tone.start();
  await context.resume();
  const recorder = new MediaRecorder(stream.stream, { mimeType: "audio/webm" });
  const pieces = [];
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  const ended = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  setTimeout(() => recorder.stop(), 1000);
  await ended;
  const files = new DataTransfer();
  files.items.add(new File(pieces, "phone.webm"));
  document.getElementById("file").files = files.files;
  document.getElementById("file").dispatchEvent(new Event("change"));
  return true;
})()"""


@needs_chromium
async def test_what_only_the_browser_can_read_is_decoded_there(server: PageServer, tmp_path: Path) -> None:
    async with page(server, tmp_path) as tab:
        await tab.click("h1")  # a browser lets no page make sound before
        await tab.value(_WEBM)
        assert "most probable is" in await found(tab)
        assert (await tab.value("document.getElementById('found-title').textContent")).startswith("phone.webm, ")
        samples, rate = soundfile.read(io.BytesIO(bytes(await tab.value(_BYTES))))
        spectrum = np.abs(np.fft.rfft(samples))
        assert spectrum.argmax() * rate / len(samples) == pytest.approx(440, abs=5)


@needs_chromium
async def test_without_a_microphone_the_page_gives_the_reason(server: PageServer, tmp_path: Path) -> None:
    hidden = "Object.defineProperty(navigator, 'mediaDevices', { value: undefined });"  # as where it is not https
    async with open_tab(tmp_path / "profile", script=hidden) as tab:
        await tab.do("Page.navigate", url=server.address)
        await tab.until("document.getElementById('record')?.disabled")
        assert await tab.value("document.getElementById('no-microphone').checkVisibility()")
        assert "localhost" in await tab.value("document.getElementById('no-microphone').textContent")

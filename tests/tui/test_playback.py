"""Playback through a sound server: what its null sink gets, recorded from its monitor, is the clip."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from helpers.terminal import TerminalApp
from helpers.waits import DEADLINE_S, until
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.records import StoredClip
from labeltool.store.importing import import_records
from labeltool.tui.media import clip_picture
from labeltool.tui.media.player import Player

pytestmark = [
    pytest.mark.skipif(
        shutil.which("pulseaudio") is None or shutil.which("parec") is None,
        reason="pulseaudio and parec (pulseaudio-utils) are not installed",
    ),
]

RATE_HZ = clip_picture.PLAYBACK_RATE_HZ
FILE_RATE_HZ = 44_100
CLIP_S = 1.5
MIN_CORRELATION = 0.95
TRIES = 8  # on a busy machine a sound server may run out of samples

Float = npt.NDArray[np.float64]


def wave(time_s: Float) -> Float:
    """A sound that correlates with itself at one place only: a rising chirp with a changing level."""
    # 200 Hz to 5 kHz: one sample missing or doubled shifts its upper end by a quarter of a period and more.
    rising = np.sin(2 * np.pi * (200 * time_s + 1600 * time_s**2))
    inside = (time_s >= 0) & (time_s < CLIP_S)
    return np.asarray(0.4 * rising * (1 + 0.5 * np.sin(23 * time_s)) * inside)


def clip_at(speed: float = 1.0) -> Float:
    """The expected recording of the clip, `(frames,)` at `RATE_HZ`, computed and not resampled."""
    return wave(np.arange(round(CLIP_S / speed * RATE_HZ)) / RATE_HZ * speed)


def correlation(recorded: Float, expected: Float) -> float:
    """The correlation of two signals of one length; 0 if one of them is silent."""
    norm = float(np.linalg.norm(recorded) * np.linalg.norm(expected))
    return float(recorded @ expected) / norm if norm else 0.0


def find(piece: Float, signal: Float) -> int:
    """The index of the first frame of a piece in a signal, by cross-correlation."""
    size = 1 << (len(signal) + len(piece)).bit_length()
    spectrum = np.fft.rfft(signal, size) * np.conj(np.fft.rfft(piece, size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[: len(signal) - len(piece) + 1]))


@dataclass
class Speaker:
    """A sound server without a sound card, and a recorder at its monitor."""

    recorder: subprocess.Popen[bytes]
    variables: dict[str, str]

    def __post_init__(self) -> None:
        self._recorded = bytearray()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.recorder.stdout is not None
        while data := self.recorder.stdout.read1(1 << 16):  # type: ignore[attr-defined]
            self._recorded += data

    def close(self) -> None:
        self.recorder.terminate()
        self.recorder.wait(DEADLINE_S)
        self._reading.join(10)
        assert self.recorder.stdout is not None
        self.recorder.stdout.close()

    @property
    def now(self) -> int:
        """The number of frames recorded until now."""
        return len(self._recorded) // 2

    def wait_for(self, seconds: float) -> None:
        """Wait until some more seconds were recorded."""
        end = self.now + round(seconds * RATE_HZ)
        until(lambda: self.now >= end, f"{seconds} s of recording")

    def since(self, frame: int) -> Float:
        """The samples recorded from a frame on, -1 to 1."""
        return np.frombuffer(bytes(self._recorded[2 * frame : 2 * self.now]), np.int16) / 32768.0


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Speaker]:
    """The server with folders of its own, so that no desktop is touched; it ends with the module."""
    home = tmp_path_factory.mktemp("pulse")
    runtime = home / "run"
    runtime.mkdir(mode=0o700)
    socket = runtime / "native"
    variables = {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_CONFIG_HOME": str(home / "config"),
        "PULSE_SERVER": f"unix:{socket}",
        "PULSE_COOKIE": str(home / "cookie"),
    }
    environment = {**os.environ, **variables}
    log_file = home / "pulseaudio.log"
    # In the foreground, so that it can be ended reliably. As root it warns, and works.
    with log_file.open("wb") as log:
        server = subprocess.Popen(
            [
                *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"),
                f"--load=module-native-protocol-unix socket={socket} auth-anonymous=1",
                f"--load=module-null-sink sink_name=ltnull rate={RATE_HZ}",
            ],
            stdout=log,
            stderr=log,
            env={name: value for name, value in environment.items() if name != "PULSE_SERVER"},
        )
    try:
        until(lambda: socket.exists() or server.poll() is not None, "the sound server")
        assert server.poll() is None, log_file.read_text()
        recorder = subprocess.Popen(
            [
                *("parec", "-d", "ltnull.monitor", "--latency-msec=10"),
                *("--format=s16le", f"--rate={RATE_HZ}", "--channels=1"),
            ],
            stdout=subprocess.PIPE,
            env=environment,
        )
        with closing(Speaker(recorder, variables)) as speaker:
            # A null sink first works with more than a second of latency; every player stalls until that has passed.
            speaker.wait_for(3.0)
            yield speaker
    finally:
        server.terminate()
        server.wait(DEADLINE_S)


@pytest.fixture
def player(speaker: Speaker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Player]:
    """The app's player, playing to that server."""
    monkeypatch.delenv("LABELTOOL_AUDIO")
    for name, value in speaker.variables.items():
        monkeypatch.setenv(name, value)
    with closing(Player()) as player:
        player.open()
        assert player.silent == "", "it plays to the null device, not to the sound server"
        yield player


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A file that holds the clip between two other sounds, at a rate that must be converted."""
    time_s = np.arange(round(3 * CLIP_S * FILE_RATE_HZ)) / FILE_RATE_HZ
    around = 0.2 * np.sin(2 * np.pi * 330 * time_s) * ((time_s < CLIP_S) | (time_s >= 2 * CLIP_S))
    path = tmp_path / "chirp.wav"
    soundfile.write(path, wave(time_s - CLIP_S) + around, FILE_RATE_HZ)
    return path


@pytest.fixture
def prepared(recording: Path) -> clip_picture.ClipPicture:
    """The clip, as the app loads it."""
    return clip_picture.load_clip(StoredClip(1, 1, str(recording), "0" * 64, CLIP_S, 2 * CLIP_S, None, "group"))


def best_of(attempt: Callable[[], list[float]]) -> list[float]:
    """The results of the first attempt that passes, or of the last one."""
    for _ in range(TRIES):
        results = attempt()
        if min(results) > MIN_CORRELATION:
            break
    return results


def to_its_end(speaker: Speaker, player: Player, began: int) -> Float:
    """Wait until the sound has ended and return its recording."""
    until(lambda: not player.playing, "the end")
    speaker.wait_for(0.4)  # for what is still buffered
    return speaker.since(began)


@pytest.mark.parametrize("speed", [1.0, 0.5, 2.0])
def test_playback_is_the_clip_from_its_first_to_its_last_moment(
    speaker: Speaker, player: Player, prepared: clip_picture.ClipPicture, speed: float
) -> None:
    expected = clip_at(speed)
    player.speed = speed

    def attempt() -> list[float]:
        began = speaker.now
        player.put(prepared.samples, play=True)
        recorded = to_its_end(speaker, player, began)
        place = find(expected, recorded)
        around = np.abs(np.concatenate([recorded[: max(0, place - 48)], recorded[place + len(expected) + 48 :]]))
        return [correlation(recorded[place : place + len(expected)], expected), float(around.max(initial=0.0) < 0.01)]

    correlated, silent_around = best_of(attempt)
    assert correlated > MIN_CORRELATION
    assert silent_around, "something else than the clip was recorded"


def test_a_seek_goes_on_at_the_exact_moment(
    speaker: Speaker, player: Player, prepared: clip_picture.ClipPicture
) -> None:
    clip, target_s = clip_at(), 1.0
    target = round(target_s * RATE_HZ)

    def attempt() -> list[float]:
        began = speaker.now
        player.put(prepared.samples, play=True)
        until(lambda: player.position_s > 0.3, "a third of a second")
        player.seek(target_s)
        recorded = to_its_end(speaker, player, began)
        start = find(clip[: RATE_HZ // 5], recorded)
        # Where the clip would have started for its end to be where it was recorded: this gives the place of the jump.
        jump = find(clip[-RATE_HZ // 5 :], recorded) - (len(clip) - RATE_HZ // 5) + target
        expected = np.zeros_like(recorded)
        expected[start:jump] = clip[: jump - start]
        expected[jump : jump + len(clip) - target] = clip[target:]
        # Only around the jump does the correlation show a seek that is 10 ms off.
        at_jump = slice(jump - RATE_HZ // 20, jump + RATE_HZ // 20)
        return [correlation(recorded, expected), correlation(recorded[at_jump], expected[at_jump])]

    whole, at_jump = best_of(attempt)
    assert whole > MIN_CORRELATION
    assert at_jump > MIN_CORRELATION


def test_a_loop_has_no_gap_at_its_seam(speaker: Speaker, player: Player, prepared: clip_picture.ClipPicture) -> None:
    clip = clip_at()
    rounds = np.concatenate([clip, clip, clip[: len(clip) // 2]])

    def attempt() -> list[float]:
        player.loop = True
        began = speaker.now
        player.put(prepared.samples, play=True)
        until(lambda: speaker.now - began > len(rounds) + RATE_HZ, "two and a half rounds")
        recorded = speaker.since(began)
        player.put(prepared.samples[:0], play=False)
        speaker.wait_for(0.4)
        # Aligned by the first round only: a gap or a doubled piece at a seam shifts all that follows.
        place = find(clip, recorded[: len(clip) + RATE_HZ])
        recorded = recorded[place : place + len(rounds)]
        seams = [slice(at - RATE_HZ // 20, at + RATE_HZ // 20) for at in (len(clip), 2 * len(clip))]
        return [correlation(recorded, rounds), *(correlation(recorded[seam], rounds[seam]) for seam in seams)]

    results = best_of(attempt)
    assert min(results) > MIN_CORRELATION, results


def test_the_app_plays_each_clip_when_it_appears(speaker: Speaker, project: Project, tmp_path: Path) -> None:
    rising = clip_at()
    waves = {"rising.wav": rising, "falling.wav": rising[::-1]}
    for name, samples in waves.items():
        soundfile.write(tmp_path / name, samples, RATE_HZ)
    with project.open_store() as store:
        import_records(
            store, audio_files.read([tmp_path / name for name in waves], None, None), kind="audio", source="test"
        )
    best = dict.fromkeys(waves, 0.0)
    began = speaker.now
    with TerminalApp(project, LABELTOOL_AUDIO="", **speaker.variables) as app:
        for _ in range(len(waves) * TRIES):
            shown = app.until(r"(rising|falling)\.wav").group()
            # It may take a while: the app opens the sound card after the first clip is drawn.
            until(lambda: np.abs(speaker.since(began)).max(initial=0.0) > 0.1, "any sound")  # noqa: B023
            speaker.wait_for(CLIP_S + 0.4)
            recorded, began = speaker.since(began), speaker.now
            place = find(waves[shown], recorded)
            best[shown] = max(best[shown], correlation(recorded[place : place + len(rising)], waves[shown]))
            if min(best.values()) > MIN_CORRELATION:
                break
            app.press("s")  # a skipped clip comes again
        assert app.leave() == 0
    assert min(best.values()) > MIN_CORRELATION, best

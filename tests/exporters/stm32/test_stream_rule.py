"""The streaming rule in C: the same probabilities and events as in Python, bit for bit, and no event of nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from helpers.stm32 import LABELS, LOUDEST_THIRD, SANITISED, build, network_of, run, write_c_sources
from labeltool.audio.device import device_frontend
from labeltool.audio.device.device_tables import dc_bands
from labeltool.audio.device.loudness_gate import gate_db
from labeltool.audio.frontend import LogMelFrontend
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.exporters.stm32.verification import toolchain
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_rule import EventFinder, Smoother, StreamEvent, StreamRule
from labeltool.type_aliases import Bools, Float32, Int8, Int16

RATE = 16_000
SMALL = LogMelFrontend(n_fft=64, hop=64, n_mels=8, patch_frames=4, patch_hop=4)
DEFAULT = LogMelFrontend()
THRESHOLDS = (0.4, 0.55, 0.7)

# Reads scores and peaks.
_RULE = """\
#include <stdio.h>
#include "aed_stream.h"
typedef struct { int8_t scores[AED_LABELS], unused; float peak_db; } patch;
int main(void) {
    patch in; aed_stream state; aed_event events[AED_LABELS]; float p[AED_LABELS]; uint32_t count;
    if (aed_stream_init(&state) != AED_OK) return 1;
    while (fread(&in, sizeof in, 1, stdin) == 1) {
        const aed_level level = {0.0F, in.peak_db};
        if (aed_stream_push(&state, in.scores, &level, p, events, &count) != AED_OK) return 2;
        fwrite(p, sizeof p, 1, stdout); fwrite(&count, sizeof count, 1, stdout);
        fwrite(events, sizeof events, 1, stdout);
    }
    if (aed_stream_end(&state, events, &count) != AED_OK) return 3;
    fwrite(p, sizeof p, 1, stdout); fwrite(&count, sizeof count, 1, stdout);
    fwrite(events, sizeof events, 1, stdout);
    return 0;
}
"""


def in_python(
    scores: Int8, peak_db: Float32, clip: ClipRule, stream: StreamRule, gate: float, background: int | None = None
) -> tuple[Float32, Bools, list[StreamEvent]]:
    """Run the rule in Python, the patches in blocks of different sizes."""
    smoother = Smoother(clip, stream.gain, len(LABELS), gate)
    thresholds = stream.thresholds or (clip.threshold or 0.5,) * len(LABELS)
    finder = EventFinder(stream, clip.head == "sigmoid", thresholds, background)
    rows, quiet, events = [], [], []
    for block in np.array_split(np.arange(len(scores)), max(1, len(scores) // 7)):
        outputs = (scores[block].astype(np.float32) + np.float32(128)) * np.float32(1 / 256)
        smoothed, is_quiet = smoother.push(outputs, peak_db[block])
        rows.append(smoothed)
        quiet.append(is_quiet)
        events += finder.push(smoothed, is_quiet)
    return np.concatenate(rows), np.concatenate(quiet), events + finder.end()


@pytest.mark.parametrize("background", [None, "dog"])
@pytest.mark.parametrize(
    ("clip", "stream"),
    [
        (ClipRule(threshold=0.3), StreamRule()),
        (ClipRule(0.0, 0.37), StreamRule(0.3, 0.25, 0, 3, THRESHOLDS)),
        (ClipRule(1.0, 5.0), StreamRule(1.0, 0.5, 3, 1, (0.15, 0.15, 0.15))),  # reached in silence
        (ClipRule(1.0, 0.6, "sigmoid"), StreamRule(0.7, 0.6, 2, 2, THRESHOLDS)),
        (ClipRule(0.5, 0.2, "sigmoid"), StreamRule()),
        (ClipRule(1.0, 0.6, pooling="mean"), StreamRule(0.45, 0.5, 1, 2, THRESHOLDS)),
        (ClipRule(0.5, 1.2, pooling="majority"), StreamRule()),
        (ClipRule(0.0, 0.7, "sigmoid", pooling="mean"), StreamRule(0.9, 0.4)),
        (ClipRule(0.5, 0.7, "sigmoid", pooling="majority"), StreamRule(0.5, 0.3, 1, 1, THRESHOLDS)),
    ],
    ids=str,
)
def test_every_probability_and_event_equals_the_one_in_python(
    tmp_path: Path, clip: ClipRule, stream: StreamRule, background: str | None
) -> None:
    write_c_sources(tmp_path, SMALL, network_of(SMALL), rule=clip, stream=stream, background=background)
    (tmp_path / "rule.c").write_text(_RULE)
    sources = [tmp_path / f"aed_{part}.c" for part in ("stream", "postproc", "tables")]
    program = build(tmp_path, "rule.c", sources, *SANITISED)
    random = np.random.default_rng(5)
    patches = np.zeros(6000, np.dtype([("scores", np.int8, 3), ("unused", np.int8), ("peak", np.float32)]))
    # Sounds of a few patches each, noise on their scores, every third of them silent.
    sound = np.cumsum(random.random(len(patches)) < 0.2)
    levels = random.normal(-60, 90, (sound[-1] + 1, 3))
    patches["scores"] = np.clip(levels[sound] + random.normal(0, 30, (len(patches), 3)), -128, 127)
    patches["peak"] = np.where(sound % 3 > 0, gate_db(SMALL) + random.uniform(0, 60, len(patches)), -80)
    patches["peak"][::101] = gate_db(SMALL)
    found, events = toolchain.read_stream(run(program, data=patches.tobytes()), len(LABELS))
    number = None if background is None else LABELS.index(background)
    expected, quiet, expected_events = in_python(
        patches["scores"], patches["peak"], clip, stream, gate_db(SMALL), number
    )
    assert 0.2 < quiet.mean() < 0.5
    assert found.tobytes() == expected.tobytes()
    assert events == expected_events and len(events) > 100
    assert {event.label for event in events} == {0, 1, 2} - {number}
    assert all(event.last_patch - event.first_patch + 1 >= stream.min_patches for event in events)


# -- from samples


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    sources = write_c_sources(folder, DEFAULT, network_of(DEFAULT))
    (folder / "aed_nn.c").write_text(LOUDEST_THIRD)
    return build(folder, "aed_probe.c", sources, *SANITISED)


def of_sound(probe: Path, pcm: Int16) -> list[StreamEvent]:
    """Return the events of samples, from C; those of Python, and all probabilities, are the same."""
    found, events = toolchain.read_stream(run(probe, "stream", data=pcm.tobytes()), len(LABELS))
    inputs = device_frontend.patches(DEFAULT, device_frontend.log_mel(DEFAULT, pcm), network_of(DEFAULT).input)
    thirds = np.arange(DEFAULT.n_mels) * len(LABELS) // DEFAULT.n_mels
    sums = np.stack([inputs.codes[:, thirds == label].sum(axis=(1, 2), dtype=np.int64) for label in range(3)], axis=1)
    scores = np.where(np.arange(3) == sums.argmax(axis=1)[:, None], 90, -110).astype(np.int8)
    expected, quiet, expected_events = in_python(scores, inputs.peak_db, ClipRule(), StreamRule(), gate_db(DEFAULT))
    assert len(found) == len(quiet) > 0 and found.tobytes() == expected.tobytes()
    assert events == expected_events
    return events


def noise(seconds: float, low_hz: float, high_hz: float, level: float, seed: int = 1) -> npt.NDArray[np.float64]:
    """Return noise of a band, its root mean square `level`."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=round(seconds * RATE)))
    hertz = np.fft.rfftfreq(round(seconds * RATE), 1 / RATE)
    spectrum[(hertz < low_hz) | (hertz > high_hz)] = 0
    samples = np.fft.irfft(spectrum)
    return np.asarray(samples * level / samples.std())


def pcm_of(*parts: npt.NDArray[np.float64]) -> Int16:
    return np.clip(np.rint(np.concatenate(parts)), -32768, 32767).astype(np.int16)


NOTHING = {
    "digital silence": np.zeros(10 * RATE),
    **{f"a DC offset of {level}": np.full(10 * RATE, level) for level in (1, -1, 300, -20_000, 32_767, -32_768)},
    "noise of 0 and 1": np.random.default_rng(1).integers(0, 2, 10 * RATE),
    "noise of -1, 0 and 1": np.random.default_rng(2).integers(-1, 2, 10 * RATE),
    "noise of -1 and 1": np.random.default_rng(3).choice([-1, 1], 10 * RATE),
    "one bit, now and then": np.random.default_rng(4).random(10 * RATE) < 0.001,
    "a square wave of one bit": np.where(np.arange(10 * RATE) % 100 < 50, 1, -1),
}


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_has_no_event(probe: Path, name: str) -> None:
    assert of_sound(probe, pcm_of(NOTHING[name])) == []


def test_nothing_is_below_the_gate_of_magnitudes_of_a_short_window() -> None:
    assert dc_bands(YAMNET_FRONTEND) == 14
    frontend = YAMNET_FRONTEND.with_patches(4, 4)
    network_input = network_of(frontend).input
    for name, samples in NOTHING.items():
        pcm = pcm_of(samples)[: 3 * RATE]
        levels = device_frontend.patches(frontend, device_frontend.log_mel(frontend, pcm), network_input).peak_db
        assert levels.max() < gate_db(frontend), name
    tone = pcm_of(10 * np.sin(0.3 * np.arange(RATE)))
    levels = device_frontend.patches(frontend, device_frontend.log_mel(frontend, tone), network_input).peak_db
    assert levels.min() > gate_db(frontend)


@pytest.mark.parametrize("floor", [1e-5, 1e-8, 1e-12])
@pytest.mark.parametrize("n_fft", [64, 512, 2048])
def test_nothing_is_below_the_gate_whatever_the_floor(floor: float, n_fft: int) -> None:
    frontend = LogMelFrontend(n_fft=n_fft, hop=n_fft // 2, n_mels=16, patch_frames=4, patch_hop=4, floor=floor)
    network_input = network_of(frontend).input
    for name, samples in NOTHING.items():
        pcm = pcm_of(samples)[: 3 * RATE]
        levels = device_frontend.patches(frontend, device_frontend.log_mel(frontend, pcm), network_input).peak_db
        assert levels.max() < gate_db(frontend), name
    # The gate is not out of reach: a tone of ten steps passes it.
    tone = pcm_of(10 * np.sin(0.3 * np.arange(RATE)))
    levels = device_frontend.patches(frontend, device_frontend.log_mel(frontend, tone), network_input).peak_db
    assert floor > 1e-8 or levels.min() > gate_db(frontend)


def test_a_quiet_sound_is_found_within_two_patches_after_a_loud_one(probe: Path) -> None:
    loud, quiet = noise(10, 50, 600, 8000), noise(6, 4000, 7000, 8000 * 10 ** (-34 / 20), seed=2)
    events = of_sound(probe, pcm_of(loud, quiet, np.zeros(4 * RATE)))
    assert [event.label for event in events] == [0, 2]
    hop = DEFAULT.patch_hop * DEFAULT.hop
    alone = -(-len(loud) // hop)  # the first patch that begins after the loud sound
    assert events[1].first_patch <= alone + 1
    assert events[0].last_patch <= alone + 1 and events[1].peak > 0.9
    # Silence ends the last event as fast.
    assert events[1].last_patch <= -(-(len(loud) + len(quiet)) // hop) + 1


@pytest.mark.parametrize(
    "samples",
    [
        np.where(np.arange(20 * RATE) % 37 < 18, 32_767, -32_768),
        noise(20, 50, 7000, 60_000),
        np.concatenate([noise(60, 30, 7500, 300), np.zeros(3 * RATE), noise(10, 30, 7500, 3, seed=3)]),
        noise(30, 30, 7500, 2000) * (np.arange(30 * RATE) % 24_000 < 5000),
    ],
    ids=["a full square wave", "clipped noise", "rain, a pause, faint rain", "bursts"],
)
def test_other_sounds_have_the_same_events_in_c_and_python(probe: Path, samples: npt.NDArray[np.float64]) -> None:
    assert of_sound(probe, pcm_of(samples))


def test_wrong_calls_are_refused(tmp_path: Path) -> None:
    write_c_sources(tmp_path, SMALL, network_of(SMALL))
    calls = (
        "aed_stream_init(NULL)",
        "aed_stream_push(&s, dog, &level, p, e, &n)",
        "aed_stream_end(&s, e, &n)",
        "aed_stream_init(&s)",
        "aed_stream_push(NULL, dog, &level, p, e, &n)",
        "aed_stream_push(&s, NULL, &level, p, e, &n)",
        "aed_stream_push(&s, dog, NULL, p, e, &n)",
        "aed_stream_push(&s, dog, &level, p, NULL, &n)",
        "aed_stream_push(&s, dog, &level, p, e, NULL)",
        "aed_stream_end(NULL, e, &n)",
        "aed_stream_end(&s, NULL, &n)",
        "aed_stream_end(&s, e, NULL)",
        "n",  # none
        "s.patches",
        *["aed_stream_push(&s, dog, &no_number, NULL, e, &n)"] * 3,  # nothing
        "aed_stream_end(&s, e, &n)",
        "n",
        "s.patches",
    )
    (tmp_path / "wrong.c").write_text(
        '#include <math.h>\n#include <stdio.h>\n#include "aed_stream.h"\n'
        "int main(void) {\n"
        "    static aed_stream s; aed_event e[AED_LABELS]; uint32_t n = 7; float p[AED_LABELS];\n"
        "    const int8_t dog[AED_LABELS] = {-128, 127, -128};\n"
        "    const aed_level level = {0.0F, 0.0F}, no_number = {0.0F, NAN};\n"
        + "".join(f'    printf("%d ", (int){call});\n' for call in calls)
        + "    return 0;\n}\n"
    )
    sources = [tmp_path / f"aed_{part}.c" for part in ("stream", "postproc", "tables")]
    output = run(build(tmp_path, "wrong.c", sources, *SANITISED)).decode()
    assert list(map(int, output.split())) == [1, 2, 2, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 3]


# -- the rule itself


def events_of(
    probabilities: Sequence[Sequence[float]], rule: StreamRule, **options: bool
) -> list[tuple[int, int, int]]:
    """Return label, first and last patch of the events of two labels, from 0.6 on."""
    finder = EventFinder(rule, options.get("several", False), (0.6, 0.6), None)
    rows = np.array(probabilities, np.float32)
    found = finder.push(rows, np.zeros(len(rows), bool)) + finder.end()
    return [(event.label, event.first_patch, event.last_patch) for event in found]


def test_an_event_begins_at_its_threshold_and_goes_on_above_the_release() -> None:
    rule = StreamRule(release=0.5, hold_patches=0, min_patches=1)
    one = [[p, 0.0] for p in (0.5, 0.6, 0.4, 0.3, 0.29, 0.5, 0.7)]
    assert events_of(one, rule) == [(0, 1, 3), (0, 6, 6)]
    assert events_of(one, replace(rule, hold_patches=1)) == [(0, 1, 6)]
    assert events_of(one, replace(rule, min_patches=2)) == [(0, 1, 3)]


def test_only_the_most_probable_label_begins_an_event_unless_they_are_independent() -> None:
    both = [[0.6, 0.7], [0.8, 0.7], [0.8, 0.7]]
    rule = StreamRule(min_patches=1)
    assert events_of(both, rule) == [(0, 1, 2), (1, 0, 2)]
    assert events_of(both[:1], rule) == [(1, 0, 0)]
    assert events_of(both, rule, several=True) == [(0, 0, 2), (1, 0, 2)]


def test_a_silent_patch_begins_no_event_and_probabilities_decay_to_nothing() -> None:
    smoother = Smoother(ClipRule(), 0.5, 2, -40.0)
    certain = np.tile(np.array([1, 0], np.float32), (40, 1))
    rows, quiet = smoother.push(certain, np.repeat(np.array([0, -60], np.float32), 20))
    assert quiet.tolist() == [False] * 20 + [True] * 20
    assert rows[19, 0] > 0.99 and (rows[23:] < 0.01).all()
    finder = EventFinder(StreamRule(hold_patches=0), False, (0.1, 0.1), None)
    certain = np.tile(np.array([1, 0], np.float32), (5, 1))
    assert finder.push(certain, np.array([1, 0, 0, 1, 1], bool)) == [StreamEvent(0, 1, 2, 1.0)]

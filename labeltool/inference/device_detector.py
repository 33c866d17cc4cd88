"""Detect events as the device does, bit for bit: its frontend, its network and its rule for streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from labeltool.audio.device import device_frontend
from labeltool.audio.device.device_tables import device_problem
from labeltool.audio.device.loudness_gate import gate_db
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.inference.window_scorers import patch_windows
from labeltool.networks.model_folder import ModelFiles
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.quantization import Int8Model
from labeltool.networks.stream_rule import EventFinder, Smoother, StreamEvent, StreamRule
from labeltool.records import Event
from labeltool.type_aliases import Float32, Int16


class DeviceStream:
    """A stream of samples through `aed_preproc.c`, `aed_nn.c` and `aed_stream.c`, bit for bit.

    Parameters
    ----------
    frontend
        One that the C computes (`device_problem`).
    network
        By the reference kernels.
    thresholds
        Probability at which an event of each label begins.
    background
        Index of the output that stands for none of the labels; None without one.
    """

    def __init__(
        self,
        frontend: LogMelFrontend,
        network: Int8Model,
        clip: ClipRule,
        rule: StreamRule,
        thresholds: Sequence[float],
        background: int | None,
    ) -> None:
        self._frontend = frontend
        self._network = network
        self._smoother = Smoother(clip, rule.gain, network.n_labels, gate_db(frontend))
        self._finder = EventFinder(rule, clip.head == "sigmoid", tuple(thresholds), background)

    def push(self, pcm: Int16) -> tuple[Float32, list[StreamEvent]]:
        """Add whole patches.

        Parameters
        ----------
        pcm : (samples,) int16
            From the first sample of the next patch to the last of another; the next call begins a patch hop after the
            start of the last one.

        Returns
        -------
        (patches, labels) float32
            Smoothed probabilities.
        list of StreamEvent
            The events that ended.
        """
        frames = device_frontend.log_mel(self._frontend, pcm)
        inputs = device_frontend.patches(self._frontend, frames, self._network.input)
        outputs = self._network.dequantise(self._network.predict_int8(inputs.codes))
        probabilities, is_quiet = self._smoother.push(outputs, inputs.peak_db)
        return probabilities, self._finder.push(probabilities, is_quiet)

    def end(self) -> list[StreamEvent]:
        """Return the events that are still on: they end with the last patch."""
        return self._finder.end()


class DeviceDetector:
    """A model of labeltool, as `aed_preproc.c`, `aed_nn.c` and `aed_stream.c` compute it.

    Attributes
    ----------
    labels, background
        The model's outputs, and the one that stands for none of them.
    thresholds
        Probability at which an event of each begins.
    identity
        Changes with anything that changes an event, but for the thresholds.

    Raises
    ------
    LabeltoolError
        When the device cannot compute its frontend.
    """

    def __init__(self, files: ModelFiles) -> None:
        frontend = files.frontend
        if not isinstance(frontend, LogMelFrontend) or device_problem(frontend):
            raise LabeltoolError(
                "no device computes the frontend of this model",
                file=files.directory,
                remedy="leave --as-device out, or choose a model that `labeltool export --stm32` accepts",
            )
        self.labels = files.labels
        self.background = files.background
        self.thresholds = files.card.stream_thresholds
        self.identity = repr((files.card.int8_sha256, frontend.to_dict(), files.card.clip_rule, files.card.stream_rule))
        self._frontend = frontend
        self._files = files
        self._kernels = Int8Model(files.int8)

    def detect(
        self, path: str | Path, names: Sequence[str], thresholds: Sequence[float], report: Callable[[int, int], None]
    ) -> list[Event]:
        """Detect the events of a recording, by start; a minute at a time is in memory.

        Parameters
        ----------
        names, thresholds
            Name of each output of the network in the events, and probability at which an event of it begins.
        report
            Called with seconds done and seconds in all.

        Raises
        ------
        LabeltoolError
            When the file cannot be read.
        """
        frontend, card = self._frontend, self._files.card
        background = None if self.background is None else self.labels.index(self.background)
        stream = DeviceStream(frontend, self._kernels, card.clip_rule, card.stream_rule, thresholds, background)
        windows = patch_windows(frontend, path)
        found: list[StreamEvent] = []
        for first, count in windows.blocks():
            found += stream.push(windows.read(first, count))[1]
            report(round(min(windows.duration_s, (first + count) * frontend.patch_hop_s)), round(windows.duration_s))
        found += stream.end()
        events = [self._event(one, names[one.label], windows.duration_s) for one in found]
        return sorted(events, key=lambda event: (event.start_s, event.end_s, event.label))

    def _event(self, found: StreamEvent, name: str, duration_s: float) -> Event:
        hop_s = self._frontend.patch_hop_s
        end_s = min(found.last_patch * hop_s + self._frontend.patch_s, duration_s)
        return Event(name, round(found.first_patch * hop_s, 6), round(end_s, 6), round(found.peak, 4))

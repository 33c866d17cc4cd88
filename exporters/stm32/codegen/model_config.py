"""`model_config.json`: what a program that is not ours needs to use the model."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.tflite.summary import Network
from labeltool.networks.model_folder import ModelFiles

CONFIG_VERSION = 2

_LIBROSA = "librosa.filters.mel"
_MEL_FILTERS = {"slaney": _LIBROSA, "htk": _LIBROSA, "tensorflow": "tf.signal.linear_to_mel_weight_matrix"}


@dataclass(frozen=True, slots=True)
class FeatureDefinition:
    """The network's input in the terms of `librosa.feature.melspectrogram`, whose parameters have these names.

    Attributes
    ----------
    sr, n_fft, win_length, hop_length, window, center, power, n_mels, fmin, fmax, htk, norm
        Arguments of librosa. `center` is false: the first frame begins at the first sample, and the tail that does not
        fill a frame is dropped.
    sample_divisor
        16-bit samples are divided by it first.
    log
        Formula that turns the mel powers into features.
    floor, offset_db, scale_db
        Constants of `log`.
    patch_frames, patch_hop
        Frames of a patch, and from one patch to the next.
    subtract_patch_mean
        Whether each patch is taken less its own mean.
    layout
        Order of the axes of the network's input.
    zeros_before
        Zeros to put before the samples: librosa puts a window shorter than `n_fft` into the middle of its frame.
    mel_filters
        The function whose filters stand in for librosa's.
    input_scale, input_zero_point
        `code = round(feature / input_scale) + input_zero_point`, halves to even, limited to -128 and 127.
    """

    sr: int
    n_fft: int
    win_length: int
    hop_length: int
    n_mels: int
    fmin: float
    fmax: float
    floor: float
    offset_db: float
    scale_db: float
    patch_frames: int
    patch_hop: int
    subtract_patch_mean: bool
    input_scale: float | None
    input_zero_point: int | None
    window: str = "hann"
    center: bool = False
    power: float = 2.0
    htk: bool = False
    norm: str | None = "slaney"
    sample_divisor: int = 32768
    log: str = "(10 * log10(mel + floor) - offset_db) / scale_db"
    layout: str = "batch, mels, frames, channels"
    zeros_before: int = 0
    mel_filters: str = _LIBROSA

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values, the last two only where they are not the default."""
        return {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if one.name not in ("zeros_before", "mel_filters") or getattr(self, one.name) != one.default
        }


def feature_definition(frontend: LogMelFrontend, network: Network) -> FeatureDefinition:
    """Return how to compute the input of a network with librosa."""
    slaney = frontend.mel_scale == "slaney"
    return FeatureDefinition(
        sr=frontend.sample_rate_hz,
        n_fft=frontend.n_fft,
        win_length=frontend.frame_samples,
        hop_length=frontend.hop,
        n_mels=frontend.n_mels,
        fmin=frontend.low_hz,
        fmax=frontend.high_hz,
        floor=frontend.floor,
        offset_db=frontend.offset_db,
        scale_db=frontend.scale_db,
        patch_frames=frontend.patch_frames,
        patch_hop=frontend.patch_hop,
        subtract_patch_mean=frontend.centred,
        input_scale=network.input.scale,
        input_zero_point=network.input.zero_point,
        power=2.0 if frontend.spectrum == "power" else 1.0,
        htk=not slaney,
        norm="slaney" if slaney else None,
        zeros_before=(frontend.n_fft - frontend.frame_samples) // 2,
        mel_filters=_MEL_FILTERS[frontend.mel_scale],
    )


def model_config(model_id: int, model: ModelFiles, network: Network) -> dict[str, Any]:
    """Return the values of `model_config.json`."""
    return {
        "config_version": CONFIG_VERSION,
        "model": model_id,
        "architecture": model.card.architecture,
        "sha256": hashlib.sha256(model.int8).hexdigest(),
        "labels": list(model.labels),
        "background": model.background,
        "input": asdict(network.input),
        "output": asdict(network.output),
        "clip_rule": asdict(model.rule),
        "stream_rule": asdict(replace(model.card.stream_rule, thresholds=model.card.stream_thresholds)),
        "features": feature_definition(require_log_mel(model.frontend), network).to_dict(),
        "fingerprint": model.frontend.fingerprint,
        "frontend": model.frontend.to_dict(),
    }

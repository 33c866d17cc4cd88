"""`model_config.json`: what another program needs to use the model."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from typing import Any

from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.stm32.codegen.frontend_tables import require_log_mel
from labeltool.exporters.stm32.tflite.summary import Network
from labeltool.networks.model_folder import ModelFiles

CONFIG_VERSION = 2

_LIBROSA = "librosa.filters.mel"
_MEL_FILTERS = {"slaney": _LIBROSA, "htk": _LIBROSA, "tensorflow": "tf.signal.linear_to_mel_weight_matrix"}


def feature_definition(frontend: LogMelFrontend, network: Network) -> dict[str, Any]:
    """Return how to compute the network's input, in the terms of `librosa.feature.melspectrogram`.

    Its parameters have their own names. `center` is false: the first frame begins at the first sample, and the tail
    that does not fill a frame is dropped. Beside them: `sample_divisor`, by which 16-bit samples are divided first;
    `log`, the formula that turns mel powers into features, and its constants; whether each patch is taken less its own
    mean; `layout`, the order of the axes; `input_scale` and `input_zero_point`: `code = round(feature / input_scale) +
    input_zero_point`, halves to even, limited to -128 and 127.

    Only where librosa's are not the right ones: `zeros_before`, zeros to put before the samples, as librosa puts a
    window shorter than `n_fft` into the middle of its frame; `mel_filters`, the function whose filters stand in for
    librosa's.
    """
    slaney = frontend.mel_scale == "slaney"
    zeros, filters = (frontend.n_fft - frontend.frame_samples) // 2, _MEL_FILTERS[frontend.mel_scale]
    return {
        "sr": frontend.sample_rate_hz,
        "n_fft": frontend.n_fft,
        "win_length": frontend.frame_samples,
        "hop_length": frontend.hop,
        "n_mels": frontend.n_mels,
        "fmin": frontend.low_hz,
        "fmax": frontend.high_hz,
        "floor": frontend.floor,
        "offset_db": frontend.offset_db,
        "scale_db": frontend.scale_db,
        "patch_frames": frontend.patch_frames,
        "patch_hop": frontend.patch_hop,
        "subtract_patch_mean": frontend.centred,
        "input_scale": network.input.scale,
        "input_zero_point": network.input.zero_point,
        "window": "hann",
        "center": False,
        "power": 2.0 if frontend.spectrum == "power" else 1.0,
        "htk": not slaney,
        "norm": "slaney" if slaney else None,
        "sample_divisor": 32768,
        "log": "(10 * log10(mel + floor) - offset_db) / scale_db",
        "layout": "batch, mels, frames, channels",
        **({"zeros_before": zeros} if zeros else {}),
        **({"mel_filters": filters} if filters != _LIBROSA else {}),
    }


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
        "features": feature_definition(require_log_mel(model.frontend), network),
        "fingerprint": model.frontend.fingerprint,
        "frontend": model.frontend.to_dict(),
    }

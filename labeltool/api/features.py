"""Log-mels of sound in memory, as the networks get them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labeltool.errors import LabeltoolError

if TYPE_CHECKING:
    import numpy.typing as npt

    from labeltool.type_aliases import Float32


def log_mel(wave: npt.ArrayLike, rate: int) -> Float32:
    """Return the log-mel frames of sound that the networks get by default.

    The frontend is that of the device: 64 mel bands (Slaney) from 20 to 7500 Hz, every 20 ms, from 16-bit samples at
    16 kHz. A value is `(10 log10(mel + 1e-5) + 50) / 15`.

    Parameters
    ----------
    wave : (samples,) or (channels, samples)
        Full scale is 1.0, or of int16 32768; channels are averaged.
    rate
        Hertz; soxr (HQ) resamples other rates than 16 kHz.

    Returns
    -------
    (frames, 64) float32
        The first frame begins at sample 0; a tail shorter than a frame (1024 samples at 16 kHz) is dropped.

    Raises
    ------
    LabeltoolError
        When the wave is no sound: of another shape, or with values that are no numbers.

    Examples
    --------
    >>> import labeltool, numpy
    >>> tone = numpy.sin(2 * numpy.pi * 440 * numpy.arange(32_000) / 32_000)
    >>> frames = labeltool.log_mel(tone, 32_000)
    >>> frames.shape, int(frames.mean(axis=0).argmax())
    ((47, 64), 8)
    """
    import librosa
    import numpy as np

    from labeltool.audio.log_mel_frontend import LogMelFrontend

    frontend = LogMelFrontend()
    samples = np.asarray(wave)
    if samples.ndim not in (1, 2):
        raise LabeltoolError("a wave has one or two dimensions: (samples,) or (channels, samples)")
    if rate <= 0:
        raise LabeltoolError(f"a rate is above 0 Hz, not {rate}")
    try:
        if samples.dtype == np.int16:
            samples = samples / np.float32(32768.0)
        mono = librosa.to_mono(np.asarray(samples, np.float32))
        mono = librosa.resample(mono, orig_sr=rate, target_sr=frontend.sample_rate_hz, res_type="soxr_hq")
    except (librosa.ParameterError, ValueError, TypeError) as error:
        raise LabeltoolError(f"the wave is no sound: {error}") from error
    pcm = np.clip(np.rint(mono * np.float32(32768.0)), -32768, 32767).astype(np.int16)
    return frontend.log_mel(pcm)

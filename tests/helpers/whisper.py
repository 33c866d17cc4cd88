"""A small Whisper model whose weights are chosen so that it transcribes every sound as the same sentences.

All its layers pass their input on, except for two tables: a token's row in the first selects in the second the token
that follows it. CTranslate2 and faster-whisper run as with a large model, and the result is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ctranslate2.specs import WhisperSpec, model_spec

Sentences = Sequence[tuple[float, str, float]]
"""Start, text and end of each, seconds, in steps of 0.02."""

SENTENCES: Sentences = ((0.0, "the fire brigade came", 0.5), (0.52, "nobody was hurt", 0.9))

_WIDTH = 64
_LOGIT = 4.0
_MULTILINGUAL = ""  # the token by which CTranslate2 recognises a model of several languages
_LANGUAGES = ("en", "de", "fr")


def write_whisper(
    folder: Path, sentences: Sentences = SENTENCES, *, language: str | None = None, mels: int = 80
) -> Path:
    """Write a model that transcribes every sound as `sentences`; with `language` it detects that one among several."""
    import tokenizers

    texts = list(dict.fromkeys(f"Ġ{word}" for _, text, _ in sentences for word in text.split()))
    words = ["<unk>", *texts, *([_MULTILINGUAL] if language else [])]
    specials = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in _LANGUAGES)]
    specials += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    timestamps = ["<|notimestamps|>", *(f"<|{position * 0.02:.2f}|>" for position in range(1501))]
    vocabulary = [*words, *specials, *timestamps]
    ids = {token: position for position, token in enumerate(vocabulary)}

    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: ids[word] for word in words}, "<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens([*specials, *timestamps])

    spec = WhisperSpec(1, 1, 1, 1)
    _pass_inputs_on(spec, mels)
    token_rows = np.zeros((len(vocabulary), _WIDTH), np.float32)
    next_rows = np.zeros_like(token_rows)
    chain = ["<|startoftranscript|>"]
    if language:
        chain += [f"<|{language}|>", "<|transcribe|>"]
    for start_s, text, end_s in sentences:
        chain += [f"<|{start_s:.2f}|>", *(f"Ġ{word}" for word in text.split()), f"<|{end_s:.2f}|>"]
    for position, (token, following) in enumerate(zip(chain, [*chain[1:], "<|endoftext|>"], strict=True)):
        token_rows[ids[token], position] = 1.0
        next_rows[ids[following], position] += _LOGIT
    spec.decoder.embeddings.weight = token_rows
    spec.decoder.projection.weight = next_rows
    spec.config.alignment_heads = [(0, 0)]
    spec.config.suppress_ids = spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [ids[f"<|{code}|>"] for code in _LANGUAGES]
    spec.register_vocabulary(vocabulary)
    spec.validate()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _pass_inputs_on(spec: WhisperSpec, mels: int) -> None:
    """Give every layer weights that add nothing to its input; those that attend to the sound are random."""
    shapes = {
        "conv1/weight": (_WIDTH, mels, 3),
        "conv2/weight": (_WIDTH, _WIDTH, 3),
        "self_attention/linear_0/weight": (3 * _WIDTH, _WIDTH),  # queries, keys and values in one
        "/attention/linear_1/weight": (2 * _WIDTH, _WIDTH),  # keys and values of the encoder's output
    }
    drawn = ("conv1/weight", "conv2/weight", "/attention/linear_0/weight", "/attention/linear_1/weight")
    generator = np.random.default_rng(1)

    def fill(layer: model_spec.LayerSpec, name: str, value: object) -> None:
        if value is not None:
            return
        kind = name.rpartition("/")[2]
        shape = next((shape for ending, shape in shapes.items() if name.endswith(ending)), (_WIDTH, _WIDTH))
        weights = np.full(_WIDTH, float(kind == "gamma")) if kind in ("gamma", "beta") else np.zeros(shape)
        if name.endswith(drawn):
            weights = generator.normal(0, 0.3, shape)
        setattr(layer, kind, weights.astype(np.float32))

    model_spec.visit_spec(spec, fill)
    spec.encoder.position_encodings.encodings = np.zeros((1500, _WIDTH), np.float32)
    spec.decoder.position_encodings.encodings = np.zeros((448, _WIDTH), np.float32)

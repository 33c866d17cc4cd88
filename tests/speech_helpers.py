"""A Whisper model made on the spot: its weights are chosen so that it says the same sentence of every sound.

All its layers let what comes in pass, but for two tables: a token's row in the first leads through the second to the
token that follows it. So CTranslate2 and faster-whisper do all they do with a large model, and what comes out is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ctranslate2.specs import WhisperSpec, model_spec

Said = Sequence[tuple[float, str, float]]
"""Start, sentence, end, seconds: times are even hundredths."""

SENTENCES: Said = ((0.0, "the fire brigade came", 0.5), (0.52, "nobody was hurt", 0.9))

_WIDTH = 64
_SURE = 4.0
_SEVERAL = ""  # the token by which CTranslate2 tells a model of several languages: English alone has none such
_LANGUAGES = ("en", "de", "fr")


def write_whisper(folder: Path, said: Said = SENTENCES, *, language: str | None = None, mels: int = 80) -> Path:
    """Write the model that says `said`; with a language it knows several and takes every sound for that one."""
    import tokenizers

    texts = list(dict.fromkeys(f"Ġ{word}" for _, text, _ in said for word in text.split()))
    words = ["<unk>", *texts, *([_SEVERAL] if language else [])]
    specials = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in _LANGUAGES)]
    specials += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    moments = ["<|notimestamps|>", *(f"<|{place * 0.02:.2f}|>" for place in range(1501))]
    vocabulary = [*words, *specials, *moments]
    ids = {token: place for place, token in enumerate(vocabulary)}

    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: ids[word] for word in words}, "<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens([*specials, *moments])

    spec = WhisperSpec(1, 1, 1, 1)
    _let_pass(spec, mels)
    first, after = np.zeros((len(vocabulary), _WIDTH), np.float32), np.zeros((len(vocabulary), _WIDTH), np.float32)
    chain = ["<|startoftranscript|>"]
    if language:
        chain += [f"<|{language}|>", "<|transcribe|>"]
    for start_s, text, end_s in said:
        chain += [f"<|{start_s:.2f}|>", *(f"Ġ{word}" for word in text.split()), f"<|{end_s:.2f}|>"]
    for place, (token, follows) in enumerate(zip(chain, [*chain[1:], "<|endoftext|>"], strict=True)):
        first[ids[token], place] = 1.0
        after[ids[follows], place] += _SURE
    spec.decoder.embeddings.weight = first
    spec.decoder.projection.weight = after
    spec.config.alignment_heads = [(0, 0)]
    spec.config.suppress_ids = spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [ids[f"<|{code}|>"] for code in _LANGUAGES]
    spec.register_vocabulary(vocabulary)
    spec.validate()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _let_pass(spec: WhisperSpec, mels: int) -> None:
    """Give every layer weights that add nothing to what comes in; what looks where in the sound is drawn."""
    shapes = {
        "conv1/weight": (_WIDTH, mels, 3),
        "conv2/weight": (_WIDTH, _WIDTH, 3),
        "self_attention/linear_0/weight": (3 * _WIDTH, _WIDTH),  # queries, keys and values in one
        "/attention/linear_1/weight": (2 * _WIDTH, _WIDTH),  # keys and values of what was heard
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

"""Small tokenizers as files have them: byte-level and SentencePiece, as tokenizer.json and as GGUF metadata."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from compute.text.pre_tokenizers import splitting

CORPUS = (
    "the cat sat on the mat and the other cats sat there too, in 2024 and 1999",
    "Größe, naïve café, 日本語のテキスト 😀😀, Привет мир",
    "def f(x):\n    return x + 1\n\n\n  <tag> don't we'll I'M",
)
SPECIAL = ("<|end|>", "<|start|>", "<|stop|>")
TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message.role }}\n{{ message.content | trim }}<|stop|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
_CONTROL, _NORMAL, _UNKNOWN, _BYTE, _USER_DEFINED = 3, 1, 2, 6, 4


@functools.cache
def byte_level(pre: str = "smollm") -> tokenizers.Tokenizer:
    """A trained tokenizer with 360 tokens, the special ones first, and the splitting of that name."""
    library = tokenizers.Tokenizer(models.BPE())
    split = splitting(pre, "test")
    library.pre_tokenizer = split.pre_tokenizer()
    if split.nfc:
        library.normalizer = normalizers.NFC()
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library.train_from_iterator(CORPUS * 3, trainer)
    return library


def byte_level_metadata(pre: str = "smollm", **others: Any) -> dict[str, Any]:
    """The GGUF metadata of `byte_level`; `others` replace values of it, without `tokenizer.ggml.`."""
    values = json.loads(byte_level(pre).to_str())
    vocabulary = values["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    return _metadata(
        {
            "model": "gpt2",
            "pre": pre,
            "tokens": tokens,
            "token_type": [_CONTROL if token in SPECIAL else _NORMAL for token in tokens],
            "merges": [" ".join(pair) for pair in values["model"]["merges"]],
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        others,
    )


PIECES = ("\u2581the", "\u2581cat", "\u2581c", "at", "\u2581t", "he", "\u2581", "\u2581\u2581", "th", "ca", "é")


def sentence_piece_metadata(**others: Any) -> dict[str, Any]:
    """A vocabulary with scores: control tokens, 256 bytes, letters, pieces, and one that users have defined."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    types = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256]
    letters = [letter for letter in "thecasmon" if letter not in tokens]
    tokens += [*PIECES, *letters, "\n\n"]
    types += [_NORMAL] * (len(PIECES) + len(letters)) + [_USER_DEFINED]
    scores = [0.0] * 259 + [-float(index) for index in range(len(PIECES) + len(letters))] + [0.0]
    values = {"model": "llama", "tokens": tokens, "token_type": types, "scores": scores}
    return _metadata({**values, "bos_token_id": 1, "eos_token_id": 2}, others)


def _metadata(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in (values | others).items() if value is not None}
    return {f"tokenizer.ggml.{key}": value for key, value in kept.items()} | {"tokenizer.chat_template": TEMPLATE}


def write_folder(folder: Path, *, begin: bool = False, config: dict[str, Any] | None = None, **changed: Any) -> Path:
    """A folder with `byte_level` as tokenizer.json. begin: it puts `<|start|>` before a text.

    config: tokenizer_config.json; changed: parts of tokenizer.json to replace, None to remove one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    library = tokenizers.Tokenizer.from_str(byte_level().to_str())
    if begin:
        library.post_processor = processors.TemplateProcessing("<|start|> $A", None, [("<|start|>", 1)])
    values = json.loads(library.to_str()) | changed
    (folder / "tokenizer.json").write_text(json.dumps({k: v for k, v in values.items() if v is not None}), "utf-8")
    usual = {"eos_token": "<|stop|>", "bos_token": "<|start|>", "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(usual if config is None else config), "utf-8")
    return folder

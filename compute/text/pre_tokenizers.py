"""How text is split into pieces before byte pairs are merged, by the names that GGUF files use."""

from __future__ import annotations

from dataclasses import dataclass

import tokenizers
from tokenizers import normalizers, pre_tokenizers

from compute.errors import TokenizerError
from compute.io.escape import one_line

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Splitting:
    """pattern: of the pieces; digits: each is a piece of its own, before the pattern applies; nfc: text is composed
    first; whole: a piece that is a token needs no merges; begin: a text begins with a token, unless the file says no.
    """

    pattern: str
    digits: bool = False
    nfc: bool = False
    whole: bool = False
    begin: bool = False

    def normalizer(self) -> normalizers.Normalizer | None:
        """What is done to the text first."""
        return normalizers.NFC() if self.nfc else None

    def pre_tokenizer(self) -> pre_tokenizers.PreTokenizer:
        """The library's object that splits a text and writes bytes as letters."""
        digits = [pre_tokenizers.Digits(individual_digits=True)] if self.digits else []
        pieces = pre_tokenizers.Split(tokenizers.Regex(self.pattern), "isolated")
        letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return pre_tokenizers.Sequence([*digits, pieces, letters])


_LLAMA3_SPLITTING = Splitting(_LLAMA3, whole=True, begin=True)
_KNOWN = {
    "gpt-2": Splitting(_GPT2),
    "olmo": Splitting(_GPT2, nfc=True),  # GPT-NeoX and Pythia
    "smollm": Splitting(_GPT2, digits=True),
    "llama-bpe": _LLAMA3_SPLITTING,
    "llama3": _LLAMA3_SPLITTING,
    "llama-v3": _LLAMA3_SPLITTING,
    "qwen2": Splitting(_QWEN2, nfc=True),
    "deepseek-r1-qwen": Splitting(_QWEN2),
    "tekken": Splitting(_TEKKEN, whole=True, begin=True),
}


def splitting(name: object, where: str) -> Splitting:
    """The splitting that a GGUF file names. Raises `TokenizerError` for a name that is missing or unknown."""
    known = _KNOWN.get(name) if isinstance(name, str) else None
    if known is None:
        given = "is missing" if name is None else f"is {one_line(str(name), 40)}"
        raise TokenizerError(f"{where}: tokenizer.ggml.pre {given}; supported are {', '.join(_KNOWN)}")
    return known

"""Which tokenizer a model has: GPT-2's, that of its folder or file, or numbers for random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compute.io.escape import one_line
from compute.models.architectures import architecture_of
from compute.models.config import GPT2_SIZES
from compute.text.tokenizer import Tokenizer, load_tokenizer

from .checkpoint import WeightSource

if TYPE_CHECKING:
    from .gguf import GgufModel

_GPT2_TOKENS = GPT2_SIZES["gpt2"].vocabulary
_GGUF_KIND = "tokenizer.ggml.model"


def tokenizer_of(source: WeightSource) -> Tokenizer:
    """The tokenizer of an open model.

    GPT-2's own for every GPT-2, also one of another vocabulary, which it does not fit; a `NoTokenizer` for another
    model without one. Raises `TokenizerError` when the model's files contain one that cannot be used.
    """
    path, config = source.path, source.config
    # The libraries of other tokenizers are imported only where they are needed.
    if architecture_of(config).tokens == _GPT2_TOKENS:
        return load_tokenizer()
    if path is None:
        from compute.text.numbered_tokenizer import SMALLEST, NoTokenizer, NumberedTokenizer

        if config.vocabulary < SMALLEST:
            return NoTokenizer(source.name, f"has {config.vocabulary} tokens, too few for text; give token ids")
        return NumberedTokenizer(source.name, config.vocabulary)
    if path.suffix == ".gguf":
        from .gguf import GgufModel

        if isinstance(source, GgufModel):
            return _of_gguf(source, one_line(path))
    from compute.text.tokenizer_json import FILE, folder_tokenizer, is_tokenizer_folder

    folder = path if path.is_dir() else path.parent
    if not is_tokenizer_folder(folder):
        from compute.text.numbered_tokenizer import NoTokenizer

        missing = f"there is no {FILE} in its folder; copy it there from the same model, or give token ids"
        return NoTokenizer(one_line(path), missing)
    return folder_tokenizer(folder, source.name, config.vocabulary)


def _of_gguf(source: GgufModel, where: str) -> Tokenizer:
    metadata = source.metadata
    if _GGUF_KIND not in metadata:
        from compute.text.numbered_tokenizer import NoTokenizer

        return NoTokenizer(where, f"has no {_GGUF_KIND} in its metadata; use a complete file, or give token ids")
    from compute.text.gguf_tokenizer import gguf_tokenizer

    return gguf_tokenizer(source.name, where, metadata)

"""`config.json` of a Hugging Face folder: reads the sizes of a GPT-2, and refuses models that cannot run here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from compute.errors import CheckpointError
from compute.io.escape import one_line
from compute.io.system_errors import read_errors_as
from compute.io.untrusted_json import read_untrusted_json
from compute.io.value_type import ValueType, whole
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.text.vocabulary import LARGEST, added_tokens

from .limits import check_sizes

_SIZE = whole(1, LARGEST)
_FLAG = ValueType(bool, "true or false")
_NAMES = ValueType(list[str] | None, "a list of names")
_VOCABULARY = GPT2_SIZES["gpt2"].vocabulary

# The architectures with a language model head; files with other heads name other architectures.
_ARCHITECTURES = {"GPT2LMHeadModel", "GPT2Model"}
# Names of the only activation function that the kernels implement: GELU, tanh approximation.
_ACTIVATIONS = {"gelu_new", "gelu_pytorch_tanh"}
_LONGEST_VALUE, _LONGEST_TOKEN = 60, 40  # characters in a message
_MOST_TOKENS = 5  # in a message
# Optional fields -> their default value, the only one that is supported.
_DEFAULTS: dict[str, Any] = {
    "layer_norm_epsilon": 1e-5,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "quantization_config": None,
}
# GPT-2's vocabulary, rounded up as training programs do for speed. The additional rows belong to no token.
_PADDED = {-(-_VOCABULARY // step) * step for step in (8, 16, 32, 64, 128)}


def read_config(path: Path) -> tuple[ModelConfig, bool]:
    """Read the `config.json` at `path`: the sizes, and whether logits are computed with the token embedding.

    Raises `CheckpointError` for every model that cannot run here.
    """
    shown = one_line(path)
    with read_errors_as(CheckpointError, shown):
        text = path.read_bytes()
    try:
        values = read_untrusted_json(text)
    except ValueError as error:
        raise CheckpointError(f"{shown}: is not JSON ({one_line(str(error))}); fetch or copy it again") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{shown}: is not a JSON object; fetch or copy it again")
    fields = _Fields(values, shown)
    _check_architecture(fields, shown)
    vocabulary = fields.checked("vocab_size", _SIZE)
    padded = vocabulary
    if vocabulary > _VOCABULARY:
        ids = added_tokens(path.parent)
        added = _listed([token for token, id in ids.items() if id >= _VOCABULARY])
        if added or vocabulary not in _PADDED:
            raise CheckpointError(
                f"{shown}: has {vocabulary} tokens, {vocabulary - _VOCABULARY} more than GPT-2"
                f"{f' ({added})' if added else ''}; models with added tokens cannot run here, use one without"
            )
        vocabulary = _VOCABULARY
    config = ModelConfig(
        layers=fields.checked("n_layer", _SIZE),
        heads=fields.checked("n_head", _SIZE),
        channels=fields.checked("n_embd", _SIZE),
        positions=fields.checked("n_positions", _SIZE),
        vocabulary=vocabulary,
        padded_vocabulary=padded,
    )
    check_sizes(config, shown, "it")
    inner = values.get("n_inner")
    if inner not in (None, 4 * config.channels):
        _refuse(shown, "n_inner", inner, f"{4 * config.channels}, 4 times n_embd,")
    return config, fields.checked("tie_word_embeddings", _FLAG, default=True)


def config_json(config: ModelConfig, dtype: str) -> dict[str, Any]:
    """The `config.json` of a model, padding left out. dtype: that of its weights, "f32", "f16" or "bf16"."""
    end_of_text = config.vocabulary - 1
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "layer_norm_epsilon": 1e-5,
        "n_ctx": config.positions,
        "n_embd": config.channels,
        "n_head": config.heads,
        "n_layer": config.layers,
        "n_positions": config.positions,
        "tie_word_embeddings": True,
        "torch_dtype": {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}[dtype],
        "vocab_size": config.vocabulary,
    }


def _check_architecture(fields: _Fields, shown: str) -> None:
    """Refuse models other than GPT-2, and variants of GPT-2 that compute something else."""
    values = fields.values
    kind = values.get("model_type")
    if kind != "gpt2":
        raise CheckpointError(f"{shown}: is a model of type {_quoted(kind)}, only gpt2 can run here; use a GPT-2")
    others = [name for name in fields.checked("architectures", _NAMES) or () if name not in _ARCHITECTURES]
    if others:
        raise CheckpointError(
            f"{shown}: is for {_quoted(others[0])}, whose head is not the language model's; use a GPT2LMHeadModel"
        )
    activation = values.get("activation_function", "gelu_new")
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        _refuse(shown, "activation_function", activation, "gelu_new")
    for name, default in _DEFAULTS.items():
        if values.get(name, default) != default:
            _refuse(shown, name, values[name], json.dumps(default))


def _refuse(shown: str, name: str, value: object, supported: str) -> None:
    raise CheckpointError(f"{shown}: {name} is {_quoted(value)}, only {supported} can run here; use another model")


def _listed(tokens: list[str]) -> str:
    """The first tokens, shortened, for a message."""
    shown = [one_line(token, _LONGEST_TOKEN) for token in tokens[:_MOST_TOKENS]]
    return ", ".join(shown + ["..."] * (len(tokens) > _MOST_TOKENS))


class _Fields:
    """The fields of a config file. Checks types and ranges; raises `CheckpointError` for invalid values."""

    def __init__(self, values: dict[str, Any], shown: str) -> None:
        self.values, self._shown = values, shown

    def checked(self, name: str, kind: ValueType, default: object = None) -> Any:
        """The value of a field, `default` if it is missing."""
        value = self.values.get(name, default)
        try:
            return kind(value)
        except ValueError:
            raise CheckpointError(
                f"{self._shown}: {name} is {_quoted(value)}, must be {kind.expected}; fetch or copy it again"
            ) from None


def _quoted(value: object) -> str:
    """A value in the file for a message: short, and on one line."""
    return one_line(value if isinstance(value, str) else json.dumps(value), _LONGEST_VALUE)

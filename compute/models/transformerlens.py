"""TransformerLens names of activations. Values equal those of an unprocessed model there, without its batch axis.

`hook_normalized` is the row before the norm's scale and shift, `hook_out` the row after them, as in TransformerLens 3.
"""

from __future__ import annotations

from .description import Description
from .names import split_name
from .operations import Attention, LayerNorm
from .readings import Form, Reading, norm_readings, readings

# Names without the block's number, ours and theirs.
_NAMES = {
    "embed.tokens": "hook_embed",
    "embed.positions": "hook_pos_embed",
    "resid_pre": "hook_resid_pre",
    "ln_1": "ln1.hook_out",
    "attn.q": "attn.hook_q",
    "attn.k": "attn.hook_k",
    "attn.v": "attn.hook_v",
    "attn.scores": "attn.hook_attn_scores",
    "attn.pattern": "attn.hook_pattern",
    "attn.out": "attn.hook_z",
    "attn.c_proj": "hook_attn_out",
    "resid_mid": "hook_resid_mid",
    "ln_2": "ln2.hook_out",
    "mlp.c_fc": "mlp.hook_pre",
    "mlp.gelu": "mlp.hook_post",
    "mlp.relu": "mlp.hook_post",
    "mlp.c_proj": "hook_mlp_out",
    "resid_post": "hook_resid_post",
    "ln_f": "ln_final.hook_out",
    "logits": "logits",
}
_BY_HEAD = {Form.QUERY: Form.QUERY_HEADS, Form.KEY: Form.KEY_HEADS, Form.VALUE: Form.VALUE_HEADS}
_OF_NORM = {Form.NORMALIZED: "hook_normalized", Form.DEVIATION: "hook_scale"}


def transformerlens_name(name: str) -> str | None:
    """The TransformerLens name of the tensor `name`: `blocks.3.hook_attn_out` for h.3.attn.c_proj; None without one."""
    block, short = split_name(name)
    theirs = _NAMES.get(short)
    return theirs if theirs is None or block is None else f"blocks.{block}.{theirs}"


def names_by_transformerlens(description: Description) -> dict[str, str]:
    """Names of a model's tensors by those of TransformerLens; what only TransformerLens names is left out."""
    ours = [*readings(description), description.head.output]
    return {theirs: name for name in ours if (theirs := transformerlens_name(name)) is not None}


def transformerlens_readings(description: Description) -> dict[str, Reading]:
    """Every array under its TransformerLens name, in the order in which the model runs, the logits left out."""
    found: list[Reading] = []
    for reading in readings(description).values():
        theirs = transformerlens_name(reading.name)
        if theirs is None:
            continue
        operation, form = reading.operation, _BY_HEAD.get(reading.form, reading.form)
        if isinstance(operation, Attention) and reading.source == operation.output:
            form = Form.HEADS
        if isinstance(operation, LayerNorm):
            stem = theirs.rpartition(".")[0]
            for of_norm, about in norm_readings(operation):
                found.append(Reading(f"{stem}.{_OF_NORM[of_norm]}", operation.x, of_norm, operation, about))
        found.append(Reading(theirs, reading.source, form, operation, reading.about))
    return {reading.name: reading for reading in found}

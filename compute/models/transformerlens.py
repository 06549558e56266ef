"""TransformerLens names of activations. Values equal those of an unprocessed model there, without its batch axis.

`hook_normalized` is the row before the norm's scale and shift, `hook_out` the row after them, as in TransformerLens 3.
"""

from __future__ import annotations

from collections.abc import Iterator

from .description import Description
from .names import block_name, split_name
from .operations import Attention, Heads, Linear, Norm, RmsNorm, Rope
from .readings import Form, Reading, norm_readings, readings

# Names without the block's number, ours and theirs.
_NAMES = {
    "embed.tokens": "hook_embed",
    "embed.positions": "hook_pos_embed",
    "resid_pre": "hook_resid_pre",
    "ln_1": "ln1.hook_out",
    "ln_1_post": "hook_attn_out",
    "attn.q": "attn.hook_q",
    "attn.k": "attn.hook_k",
    "attn.v": "attn.hook_v",
    "attn.q_rot": "attn.hook_rot_q",
    "attn.k_rot": "attn.hook_rot_k",
    "attn.scores": "attn.hook_attn_scores",
    "attn.pattern": "attn.hook_pattern",
    "attn.out": "attn.hook_z",
    "attn.c_proj": "hook_attn_out",
    "resid_mid": "hook_resid_mid",
    "ln_2": "ln2.hook_out",
    "mlp.c_fc": "mlp.hook_pre",
    "mlp.gelu": "mlp.hook_post",
    "mlp.relu": "mlp.hook_post",
    "mlp.gate": "mlp.hook_pre",
    "mlp.up": "mlp.hook_pre_linear",
    "mlp.gated": "mlp.hook_post",
    "ln_2_post": "hook_mlp_out",
    "mlp.c_proj": "hook_mlp_out",
    "resid_post": "hook_resid_post",
    "ln_f": "ln_final.hook_out",
    "logits": "logits",
}
# Norms after attention and MLP: their results are what these add to the stream, so those names are theirs.
_POST_NORMS = {"attn.c_proj": ("ln_1_post", "ln1_post"), "mlp.c_proj": ("ln_2_post", "ln2_post")}
_STEMS = dict(_POST_NORMS.values())
_OF_NORM = {Form.NORMALIZED: "hook_normalized", Form.DEVIATION: "hook_scale"}


def transformerlens_name(name: str, description: Description | None = None) -> str | None:
    """The TransformerLens name of the tensor `name`: `blocks.3.hook_attn_out` for h.3.attn.c_proj; None without one."""
    block, short = split_name(name)
    theirs = _NAMES.get(short)
    if block is None or theirs is None:
        return theirs
    if description and short in _POST_NORMS and block_name(block, _POST_NORMS[short][0]) in description.outputs:
        return None
    return f"blocks.{block}.{theirs}"


def names_by_transformerlens(description: Description) -> dict[str, str]:
    """Names of a model's tensors by those of TransformerLens; what only TransformerLens names is left out."""
    ours = [*readings(description), description.head.output]
    return {theirs: name for name in ours if (theirs := transformerlens_name(name, description)) is not None}


def transformerlens_readings(description: Description) -> dict[str, Reading]:
    """Every array under its TransformerLens name, in the order in which the model runs, the logits left out."""
    by_head = {heads.source: heads for attention in description.attention for heads in _by_head(description, attention)}
    found: list[Reading] = []
    for reading in readings(description).values():
        theirs = transformerlens_name(reading.name, description)
        operation, form, heads = reading.operation, reading.form, reading.heads
        if isinstance(operation, Norm):
            block, short = split_name(reading.name)
            stem = f"blocks.{block}.{_STEMS[short]}" if short in _STEMS else (theirs or "").rpartition(".")[0]
            if stem:
                for of_norm, about in norm_readings(operation):
                    found.append(Reading(f"{stem}.{_OF_NORM[of_norm]}", operation.x, of_norm, operation, about))
        if theirs is None:
            continue
        if form is Form.PART:
            form = Form.HEADS
        elif form is Form.WHOLE and reading.source in by_head and isinstance(operation, Attention | Linear | Rope):
            form, heads = Form.HEADS, by_head[reading.source]
        found.append(Reading(theirs, reading.source, form, operation, reading.about, heads))
    return {reading.name: reading for reading in found}


def _by_head(description: Description, attention: Attention) -> Iterator[Heads]:
    """The heads of what attention reads and returns, and of what that was rotated and normalized from."""
    yield Heads(attention.output, attention.heads, attention.head_size)
    for _, heads in attention.parts:
        name: str | None = heads.source
        while name is not None:
            yield Heads(name, heads.heads, heads.size)
            operation = description.outputs[description.canonical(name)]
            if isinstance(operation, Rope):
                name = operation.x.source
            else:
                name = operation.x if isinstance(operation, RmsNorm) else None

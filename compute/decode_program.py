"""One token on a GPU in five dispatches a layer: layer norms, biases, GELU and residuals inside the matrix kernels."""

from __future__ import annotations

import math

import wgpu

from .activations import SinkBlock
from .kernels import Resource
from .native import Dispatch
from .program import Program, resource

_THREADS = 128  # of a workgroup
_SPAN = 128  # keys of one workgroup of attention
_HEAD_ROUNDS = 8  # rounds of a head workgroup: the layer norm before it is computed once in each


class DecodeProgram(Program):
    """The pass over one row; matrices and caches are storage buffers."""

    def _build(self) -> tuple[list[Dispatch], list[Dispatch]]:
        c, heads = self._config.channels, self._config.heads
        spans = -(-self._window // _SPAN)
        self.resid = self._buffer("resid", c)
        self._query = self._buffer("query", c)
        self._mixed = self._buffer("mixed spans", spans * c)
        self._weights = self._buffer("span weights", 2 * spans * heads)
        self._hidden = self._buffer("hidden", 4 * c)
        blocks = self._blocks
        body = self._embed(self.resid, blocks[0] if blocks else None)
        for layer in range(self._config.layers):
            block = blocks[1 + layer] if blocks else None
            body += [
                self._qkv(layer, block),
                self._attention(layer),
                self._attn_proj(layer, block),
                self._fc(layer, block),
                self._mlp_proj(layer, block),
            ]
        return body, head_dispatches(self, blocks[-1] if blocks else None)

    def _linear(
        self,
        kernel_name: str,
        layer: int,
        name: str,
        block: SinkBlock | None,
        kept: tuple[str, ...],
        bound: dict[str, Resource],
        *,
        each: int,
        **values: int | str | bool,
    ) -> Dispatch:
        """One matrix kernel. `each`: rows of the matrix that a team of threads computes."""
        h = f"h.{layer}."
        storage = self._storages[h + name + ".weight"]
        (piece,) = storage.pieces
        inputs = piece.size // piece.rows // (4 if storage.dtype == "f32" else 2)
        lanes, subgroups = team_size(self._device)
        kernel = self._kernels.get(
            kernel_name, inputs=inputs, dtype=storage.dtype, lanes=lanes, subgroups=subgroups, each=each,
            threads=_THREADS, trace=block is not None, **values,
        )  # fmt: skip
        outputs = piece.rows
        return kernel.dispatch(
            (-(-outputs // (_THREADS // lanes * each)), 1, 1),
            {
                "state": self._shared.state,
                "params": self._slot(*(block.offsets[h + k] for k in kept) if block else (0,)),
                "weight": resource(piece),
                "bias": self._vector(h + name + ".bias"),
                **bound,
                **self._sink(block),
            },
            cost=inputs * outputs,
            label=h + name,
        )

    def _norm(self, name: str) -> dict[str, Resource]:
        return {"resid": self.resid, "scale": self._vector(name + ".weight"), "shift": self._vector(name + ".bias")}

    def _qkv(self, layer: int, block: SinkBlock | None) -> Dispatch:
        bound = {**self._norm(f"h.{layer}.ln_1"), "query": self._query, "cache": self._shared.caches[layer]}
        return self._linear(
            "decode_qkv", layer, "attn.c_attn", block, ("ln_1", "attn.qkv"), bound, each=2,
            head_size=self._config.head_size, window=self._window,
        )  # fmt: skip

    def _attention(self, layer: int) -> Dispatch:
        config = self._config
        kernel = self._kernels.get(
            "decode_attention", channels=config.channels, heads=config.heads, head_size=config.head_size,
            window=self._window, span=_SPAN, scale=repr(1 / math.sqrt(config.head_size)),
        )  # fmt: skip
        return kernel.dispatch(
            (config.heads, -(-self._window // _SPAN), 1),
            {
                "state": self._shared.state,
                "query": self._query,
                "cache": self._shared.caches[layer],
                "mixed": self._mixed,
                "weights": self._weights,
            },
            cost=config.channels * self._window,
            label=f"h.{layer}.attn",
        )

    def _attn_proj(self, layer: int, block: SinkBlock | None) -> Dispatch:
        bound: dict[str, Resource] = {"mixed": self._mixed, "weights": self._weights, "resid": self.resid}
        kept = ("attn.out", "attn.c_proj", "resid_mid")
        # One buffer must not be bound twice: the weight matrix is "weight", the spans' "weights".
        return self._linear(
            "decode_attn_proj", layer, "attn.c_proj", block, kept, bound, each=1, heads=self._config.heads, span=_SPAN
        )

    def _fc(self, layer: int, block: SinkBlock | None) -> Dispatch:
        bound = {**self._norm(f"h.{layer}.ln_2"), "hidden": self._hidden}
        return self._linear("decode_fc", layer, "mlp.c_fc", block, ("ln_2", "mlp.c_fc", "mlp.gelu"), bound, each=2)

    def _mlp_proj(self, layer: int, block: SinkBlock | None) -> Dispatch:
        bound: dict[str, Resource] = {"hidden": self._hidden, "resid": self.resid}
        return self._linear("decode_mlp_proj", layer, "mlp.c_proj", block, ("mlp.c_proj", "resid_post"), bound, each=1)


def team_size(device: wgpu.GPUDevice) -> tuple[int, bool]:
    """Threads that share a row of a matrix, and whether they are a subgroup.

    Subgroup sums are used where the adapter has one fixed subgroup size; elsewhere teams of 32 add in shared memory.
    """
    info = device.adapter.info
    smallest, largest = (int(info.get(f"stackgroup_{end}_size", 0)) for end in ("min", "max"))
    if "subgroup" in device.features and smallest == largest and 8 <= smallest <= _THREADS:
        return smallest, True
    return 32, False


def head_dispatches(program: Program, block: SinkBlock | None) -> list[Dispatch]:
    """Logits from the residual stream of a decode program, or from `head_input` after another program's layer norm."""
    normed = isinstance(program, DecodeProgram)
    storage = program._storages["wte"]
    channels = program._config.channels
    lanes, subgroups = team_size(program._device)
    each = 2
    kernel = program._kernels.get(
        "decode_head", inputs=channels, dtype=storage.dtype, lanes=lanes, subgroups=subgroups, each=each,
        threads=_THREADS, trace=block is not None, rounds=_HEAD_ROUNDS, normed=normed,
    )  # fmt: skip
    run = []
    for piece in storage.pieces:
        bound: dict[str, Resource] = {
            "state": program._shared.state,
            "params": program._slot(block.offsets["ln_f"] if block else 0, piece.first_row, piece.rows),
            "weight": resource(piece),
            "logits": program._shared.logits,
            "resid": program.resid if isinstance(program, DecodeProgram) else program._shared.head_input,
            **program._sink(block),
        }
        if normed:
            bound |= {"scale": program._vector("ln_f.weight"), "shift": program._vector("ln_f.bias")}
        groups = (-(-piece.rows // (_THREADS // lanes * each * _HEAD_ROUNDS)), 1, 1)
        run.append(kernel.dispatch(groups, bound, cost=channels * piece.rows, label="wte"))
    return run

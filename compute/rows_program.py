"""The forward pass as one dispatch per operation over a chunk of rows: the program for software adapters.

Every operation reads and writes small scratch buffers of one chunk; with tracing it also stores into the sinks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import wgpu

from .activations import Activations, SinkBlock
from .config import ModelConfig
from .kernels import Kernels, Resource
from .native import Dispatch
from .registry import Piece, Storage

CHUNK = 16  # rows of a chunk: more loads fewer weights per row, but a slice must fit a frame
_UNIFORM_LIMIT = 65536
_PARAMS_SLOT = 256  # bytes: the largest uniform offset alignment


@dataclass(frozen=True)
class ProgramBuffers:
    """What passes of all programs share: the position, the tokens, the logits, the key-value caches."""

    state: wgpu.GPUBuffer
    history: wgpu.GPUBuffer
    head_input: wgpu.GPUBuffer
    logits: wgpu.GPUBuffer
    caches: tuple[wgpu.GPUBuffer | wgpu.GPUTexture, ...]


class RowsProgram:
    """Dispatches for `rows` rows at a time (1 or CHUNK): `body` computes all blocks, `head` the logits."""

    def __init__(
        self,
        kernels: Kernels,
        config: ModelConfig,
        storages: dict[str, Storage],
        buffers: ProgramBuffers,
        activations: Activations | None,
        window: int,
        rows: int,
    ) -> None:
        self.rows = rows
        self._kernels = kernels
        self._device = kernels.device
        self._config = config
        self._storages = storages
        self._shared = buffers
        self._activations = activations
        self._window = window
        self._params = np.zeros((4096, _PARAMS_SLOT // 4), np.uint32)
        self._slots = 0
        self._params_buffer = self._buffer("params", self._params.size, wgpu.BufferUsage.UNIFORM)
        c = config.channels
        self._resid = self._scratch("resid", c)
        self._norm = self._scratch("norm", c)
        self._qkv = self._scratch("qkv", 3 * c)
        self._mixed = self._scratch("mixed", c)
        self._hidden = self._scratch("hidden", 4 * c)
        self.body = self._build_body()
        self.head = self._matmul("wte", None, buffers.head_input, buffers.logits, 1, "none", None)
        self._device.queue.write_buffer(self._params_buffer, 0, self._params[: self._slots].tobytes())

    def _buffer(self, label: str, elements: int, usage: int) -> wgpu.GPUBuffer:
        usage |= wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC
        return self._device.create_buffer(label=label, size=4 * elements, usage=usage)

    def _scratch(self, label: str, columns: int) -> wgpu.GPUBuffer:
        return self._buffer(label, self.rows * columns, wgpu.BufferUsage.UNIFORM)

    def _slot(self, *values: int) -> tuple[wgpu.GPUBuffer, int, int]:
        """A uniform range that holds `values` as u32."""
        at = self._slots
        self._slots += 1
        if self._slots > len(self._params):
            raise ValueError("more dispatches than parameter slots")
        self._params[at, : len(values)] = values
        return (self._params_buffer, at * _PARAMS_SLOT, 32)

    def _sink(self, block: SinkBlock | None) -> dict[str, Resource]:
        return {} if block is None else {"sink": block.binding}

    def _build_body(self) -> list[Dispatch]:
        config, blocks = self._config, self._activations.blocks if self._activations else None
        run: list[Dispatch] = []
        run += self._embed(blocks[0] if blocks else None)
        for layer in range(config.layers):
            block = blocks[1 + layer] if blocks else None
            h = f"h.{layer}."
            run.append(self._layer_norm(h + "ln_1", block))
            run += self._matmul(h + "attn.c_attn", block, self._norm, self._qkv, self.rows, "none", h + "attn.qkv")
            run.append(self._kv_store(layer))
            run.append(self._attention(layer, block))
            run += self._matmul(
                h + "attn.c_proj", block, self._mixed, self._resid, self.rows, "residual", h + "attn.c_proj",
                h + "resid_mid",
            )  # fmt: skip
            run.append(self._layer_norm(h + "ln_2", block))
            run += self._matmul(
                h + "mlp.c_fc", block, self._norm, self._hidden, self.rows, "gelu", h + "mlp.c_fc", h + "mlp.gelu"
            )
            run += self._matmul(
                h + "mlp.c_proj", block, self._hidden, self._resid, self.rows, "residual", h + "mlp.c_proj",
                h + "resid_post",
            )  # fmt: skip
        run.append(self._layer_norm("ln_f", blocks[-1] if blocks else None, head=True))
        return run

    def _embed(self, block: SinkBlock | None) -> list[Dispatch]:
        config, storage = self._config, self._storages["wte"]
        kernel = self._kernels.get(
            "embed", channels=config.channels, storage=storage.kind, dtype=storage.dtype, tile=storage.tile,
            trace=block is not None,
        )  # fmt: skip
        offsets = [block.offsets[f"embed.{n}"] for n in ("tokens", "positions", "sum")] if block else []
        quads = config.channels // 4
        return [
            kernel.dispatch(
                (-(-quads // 32), self.rows, 1),
                {
                    "state": self._shared.state,
                    "params": self._slot(piece.first_row, piece.rows, config.positions, *offsets),
                    "history": self._shared.history,
                    "weight": _resource(piece),
                    "wpe": _resource(self._storages["wpe"].pieces[0]),
                    "resid": self._resid,
                    **self._sink(block),
                },
                cost=self.rows * config.channels,
            )
            for piece in storage.pieces
        ]

    def _layer_norm(self, name: str, block: SinkBlock | None, *, head: bool = False) -> Dispatch:
        kernel = self._kernels.get("layer_norm", channels=self._config.channels, trace=block is not None, head=head)
        resources: dict[str, Resource] = {
            "state": self._shared.state,
            "params": self._slot(block.offsets[name] if block else 0),
            "x": self._resid,
            "scale": _resource(self._storages[name + ".weight"].pieces[0]),
            "shift": _resource(self._storages[name + ".bias"].pieces[0]),
            "y": self._norm,
            **self._sink(block),
        }
        if head:
            resources["head_input"] = self._shared.head_input
        return kernel.dispatch((self.rows, 1, 1), resources, cost=20 * self.rows * self._config.channels, label=name)

    def _matmul(
        self,
        name: str,
        block: SinkBlock | None,
        x: wgpu.GPUBuffer,
        y: wgpu.GPUBuffer,
        rows: int,
        epilogue: str,
        kept: str | None,
        kept_after: str | None = None,
    ) -> list[Dispatch]:
        weight_name = name if name in self._storages else name + ".weight"
        storage = self._storages[weight_name]
        bias = self._storages.get(name + ".bias")
        inputs = x.size // 4 // rows
        outputs = y.size // 4 // rows
        at_once, space = self._rows_at_once(inputs, rows)
        kernel = self._kernels.get(
            "matmul_rows", inputs=inputs, outputs=outputs, rows=at_once, x_space=space, storage=storage.kind,
            dtype=storage.dtype, tile=storage.tile, bias=bias is not None, epilogue=epilogue, trace=block is not None,
        )  # fmt: skip
        run = []
        for first in range(0, rows, at_once):
            for piece in storage.pieces:
                offset = block.offsets[kept] if block and kept else 0
                offset_after = block.offsets[kept_after] if block and kept_after else 0
                resources: dict[str, Resource] = {
                    "state": self._shared.state,
                    "params": self._slot(first, piece.first_row, piece.rows, offset, offset_after),
                    "x": (x, first * inputs * 4, at_once * inputs * 4) if space == "uniform" else x,
                    "weight": _resource(piece),
                    "y": y,
                    **self._sink(block),
                }
                if bias is not None:
                    resources["bias"] = _resource(bias.pieces[0])
                groups = (-(-piece.rows // 32), 1, 1)
                run.append(kernel.dispatch(groups, resources, cost=at_once * inputs * piece.rows, label=weight_name))
        return run

    def _rows_at_once(self, inputs: int, rows: int) -> tuple[int, str]:
        """How many rows of x one dispatch takes, and the address space x is bound in."""
        alignment = self._device.limits["min-uniform-buffer-offset-alignment"]
        at_once = rows
        while at_once * inputs * 4 > _UNIFORM_LIMIT:
            at_once //= 2
        if at_once == 0 or (at_once < rows and at_once * inputs * 4 % alignment):
            return rows, "storage"
        return at_once, "uniform"

    def _kv_store(self, layer: int) -> Dispatch:
        quads = self._config.channels // 4
        kernel = self._kernels.get(
            "kv_store", channels=self._config.channels, storage=_cache_kind(self._shared.caches[layer])
        )
        return kernel.dispatch(
            (-(-2 * quads // 32), self.rows, 1),
            {"state": self._shared.state, "qkv": self._qkv, "cache": self._shared.caches[layer]},
            cost=4 * self.rows * self._config.channels,
        )

    def _attention(self, layer: int, block: SinkBlock | None) -> Dispatch:
        config = self._config
        kernel = self._kernels.get(
            "attention_rows", channels=config.channels, head_size=config.head_size,
            scale=repr(float(1 / np.sqrt(config.head_size))), window=self._window,
            storage=_cache_kind(self._shared.caches[layer]), trace=block is not None,
        )  # fmt: skip
        return kernel.dispatch(
            (config.heads, self.rows, 1),
            {
                "state": self._shared.state,
                "params": self._slot(block.offsets[f"h.{layer}.attn.out"] if block else 0),
                "qkv": self._qkv,
                "cache": self._shared.caches[layer],
                "y": self._mixed,
                **self._sink(block),
            },
            cost=2 * self.rows * config.channels * self._window / 2,
        )


def _cache_kind(cache: wgpu.GPUBuffer | wgpu.GPUTexture) -> str:
    return "texture" if isinstance(cache, wgpu.GPUTexture) else "buffer"


def _resource(piece: Piece) -> Resource:
    if isinstance(piece.resource, wgpu.GPUBuffer):
        return (piece.resource, piece.offset, piece.size)
    return piece.resource

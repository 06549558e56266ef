"""Draws imgui's triangles with wgpu: one buffer and one write per frame, and few calls per command.

wgpu has a backend of its own, which converts colors with a power function for every pixel, samples every texture
between its texels, and encodes each command through the library's checks. On a software adapter the first two took a
third of the drawing, on a GPU's host the last was the largest part of a frame that no panel had changed in.
"""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

import numpy as np
import wgpu
from imgui_bundle import imgui

from compute.gpu.wgpu_native import IndexedDraw, draw_indexed

_SHADER = """
struct Corner {
    @location(0) position: vec2<f32>,
    @location(1) uv: vec2<f32>,
    @location(2) color: vec4<f32>,
}

struct Fragment {
    @builtin(position) position: vec4<f32>,
    @location(0) color: vec4<f32>,
    @location(1) uv: vec2<f32>,
}

// The window in imgui's coordinates: what to multiply by and to add, each for x and y.
@group(0) @binding(0) var<uniform> window: vec4<f32>;
@group(1) @binding(0) var texture: texture_2d<f32>;
@group(1) @binding(1) var texels: sampler;

@vertex
fn corner(in: Corner) -> Fragment {
    return Fragment(vec4(in.position * window.xy + window.zw, 0.0, 1.0), in.color, in.uv);
}

@fragment
fn fragment(in: Fragment) -> @location(0) vec4<f32> {
    return in.color * textureSample(texture, texels, in.uv);
}
"""
_LEAST = 1 << 18  # bytes of the buffer


class ImguiBackend:
    """Draws the draw data of the current imgui context, in colors that reach the target unchanged."""

    def __init__(self, device: wgpu.GPUDevice, target_format: str) -> None:
        """target_format: of the textures that are drawn to, without sRGB."""
        self._device, self._target_format = device, target_format
        self._ids = itertools.count(1)
        self._textures: dict[int, wgpu.GPUTexture] = {}  # those of imgui, by its number for them
        self._groups: dict[int, wgpu.GPUBindGroup] = {}
        self._retired: list[int] = []  # registered textures that are forgotten before the next frame is drawn
        # Corners lie between texels in glyphs and lines. A picture has a texel per pixel.
        self._between = device.create_sampler(label="imgui", mag_filter="linear", min_filter="linear")
        self._exact = device.create_sampler(label="imgui pictures", mag_filter="nearest", min_filter="nearest")
        usage = wgpu.BufferUsage
        self._window = device.create_buffer(label="imgui window", size=16, usage=usage.UNIFORM | usage.COPY_DST)
        self._window_is = b""
        self._reserve(_LEAST)
        self._make_pipeline()
        io = imgui.get_io()
        io.set_ini_filename("")
        io.backend_flags |= imgui.BackendFlags_.renderer_has_vtx_offset | imgui.BackendFlags_.renderer_has_textures

    def _make_pipeline(self) -> None:
        device, stage = self._device, wgpu.ShaderStage
        of_window = device.create_bind_group_layout(
            entries=[{"binding": 0, "visibility": stage.VERTEX, "buffer": {"type": "uniform"}}]
        )
        self._of_texture = device.create_bind_group_layout(
            entries=[
                {"binding": 0, "visibility": stage.FRAGMENT, "texture": {"sample_type": "float"}},
                {"binding": 1, "visibility": stage.FRAGMENT, "sampler": {"type": "filtering"}},
            ]
        )
        resource = {"buffer": self._window, "offset": 0, "size": 16}
        self._window_group = device.create_bind_group(layout=of_window, entries=[{"binding": 0, "resource": resource}])
        shader = device.create_shader_module(label="imgui", code=_SHADER)
        kinds = (("float32x2", 0), ("float32x2", 8), ("unorm8x4", 16))
        corner = {
            "array_stride": imgui.VERTEX_SIZE,
            "attributes": [
                {"format": kind, "offset": offset, "shader_location": at} for at, (kind, offset) in enumerate(kinds)
            ],
        }
        over = {
            "color": {"src_factor": "src-alpha", "dst_factor": "one-minus-src-alpha", "operation": "add"},
            "alpha": {"src_factor": "one", "dst_factor": "one-minus-src-alpha", "operation": "add"},
        }
        self._pipeline = device.create_render_pipeline(
            label="imgui",
            layout=device.create_pipeline_layout(bind_group_layouts=[of_window, self._of_texture]),
            vertex={"module": shader, "entry_point": "corner", "buffers": [corner]},
            primitive={"topology": "triangle-list"},
            fragment={
                "module": shader, "entry_point": "fragment",
                "targets": [{"format": self._target_format, "blend": over}],
            },
        )  # fmt: skip

    # -- textures

    def register_texture(self, view: wgpu.GPUTextureView) -> imgui.ImTextureRef:
        """A reference with which imgui shows a picture, drawn with a texel per pixel."""
        number = next(self._ids)
        self._groups[number] = self._group(view, self._exact)
        return imgui.ImTextureRef(number)

    def unregister_texture(self, reference: imgui.ImTextureRef) -> None:
        """Forget a picture that no later frame shows."""
        self._retired.append(reference.get_tex_id())

    def _group(self, view: wgpu.GPUTextureView, sampler: wgpu.GPUSampler) -> wgpu.GPUBindGroup:
        entries = [{"binding": 0, "resource": view}, {"binding": 1, "resource": sampler}]
        return self._device.create_bind_group(layout=self._of_texture, entries=entries)

    def _update_texture(self, data: imgui.ImTextureData) -> None:
        """Create, fill or destroy a texture of imgui's own: glyphs and the ends of lines."""
        status = imgui.ImTextureStatus
        if data.status == status.want_create:
            number = next(self._ids)
            texture = self._textures[number] = self._device.create_texture(
                label="imgui", size=(data.width, data.height, 1), format="rgba8unorm",
                usage=wgpu.TextureUsage.COPY_DST | wgpu.TextureUsage.TEXTURE_BINDING,
            )  # fmt: skip
            self._groups[number] = self._group(texture.create_view(), self._between)
            data.set_tex_id(number)
            # A larger texture contains all earlier glyphs, not only those of the latest update.
            self._fill(data, 0, 0, data.width, data.height)
        elif data.status == status.want_updates:
            part = data.update_rect
            self._fill(data, part.x, part.y, part.w, part.h)
        elif data.status == status.want_destroy and data.unused_frames > 0:
            self._textures.pop(data.tex_id, None)
            self._groups.pop(data.tex_id, None)
            data.set_tex_id(0)
            data.set_status(status.destroyed)

    def _fill(self, data: imgui.ImTextureData, x: int, y: int, width: int, height: int) -> None:
        target = {"texture": self._textures[data.tex_id], "origin": (x, y, 0)}
        row = data.width * data.bytes_per_pixel
        layout = {"offset": 0, "bytes_per_row": row, "rows_per_image": height}
        pixels = data.get_pixels_array()[y * row + x * data.bytes_per_pixel :]
        self._device.queue.write_texture(target, pixels, layout, (width, height, 1))
        data.set_status(imgui.ImTextureStatus.ok)

    # -- frames

    def render(self, data: imgui.ImDrawData, drawing: wgpu.GPURenderPassEncoder) -> None:
        """Upload the draw data's corners and append its commands to a render pass over the whole target."""
        for number in self._retired:
            self._groups.pop(number, None)
        self._retired.clear()
        (wide, high), scale = data.display_size, data.framebuffer_scale
        width, height = int(wide * scale.x), int(high * scale.y)
        if width <= 0 or height <= 0 or not data.cmd_lists_count:
            return
        for texture in data.textures or ():
            if texture.status != imgui.ImTextureStatus.ok:
                self._update_texture(texture)
        lists = data.cmd_lists
        indices = self._upload(lists, data.total_vtx_count, data.total_idx_count)
        self._fit(data)
        drawing.set_pipeline(self._pipeline)
        drawing.set_bind_group(0, self._window_group)
        drawing.set_vertex_buffer(0, self._buffer)
        drawing.set_index_buffer(self._buffer, "uint16" if imgui.INDEX_SIZE == 2 else "uint32", indices)
        draw_indexed(drawing, 1, self._draws(data, lists, width, height))

    def _draws(self, data: imgui.ImDrawData, lists: Any, width: int, height: int) -> list[IndexedDraw]:
        """The commands that show something, in order."""
        draws: list[IndexedDraw] = []
        groups, corners, indices = self._groups, 0, 0
        scale_x, scale_y = data.framebuffer_scale
        left, top = data.display_pos
        for part in lists:
            for command in part.cmd_buffer:
                x0, y0, x1, y1 = command.clip_rect
                x, y = max((x0 - left) * scale_x, 0.0), max((y0 - top) * scale_y, 0.0)
                wide, high = min((x1 - left) * scale_x, width) - x, min((y1 - top) * scale_y, height) - y
                if wide > 0 and high > 0:
                    area = int(x), int(y), int(wide), int(high)
                    first, base = command.idx_offset + indices, command.vtx_offset + corners
                    draws.append((groups[command.get_tex_id()], area, command.elem_count, first, base))
            corners += part.vtx_buffer.size()
            indices += part.idx_buffer.size()
        return draws

    def _upload(self, lists: Any, corners: int, indices: int) -> int:
        """Write all corners and, behind them, all indices; returns where the indices begin, in bytes."""
        begin = corners * imgui.VERTEX_SIZE
        size = -(-(begin + indices * imgui.INDEX_SIZE) // 4) * 4
        if size > self._buffer.size:
            self._reserve(2 * size)
        corner_at, index_at = self._host.ctypes.data, self._host.ctypes.data + begin
        for part in lists:
            vertices, numbers = part.vtx_buffer, part.idx_buffer
            count = vertices.size() * imgui.VERTEX_SIZE
            ctypes.memmove(corner_at, vertices.data_address(), count)
            corner_at += count
            count = numbers.size() * imgui.INDEX_SIZE
            ctypes.memmove(index_at, numbers.data_address(), count)
            index_at += count
        self._device.queue.write_buffer(self._buffer, 0, self._host, 0, size)
        return begin

    def _reserve(self, size: int) -> None:
        usage = wgpu.BufferUsage
        self._host = np.zeros(size, np.uint8)
        self._buffer = self._device.create_buffer(
            label="imgui", size=size, usage=usage.VERTEX | usage.INDEX | usage.COPY_DST
        )

    def _fit(self, data: imgui.ImDrawData) -> None:
        """Describe the window's size to the shader, if it has changed."""
        (left, top), (wide, high) = data.display_pos, data.display_size
        values = np.array([2 / wide, -2 / high, -1 - 2 * left / wide, 1 + 2 * top / high], np.float32).tobytes()
        if values != self._window_is:
            self._device.queue.write_buffer(self._window, 0, values)
            self._window_is = values

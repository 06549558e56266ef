{# Access to the values of a tensor whose shape is a parameter, so that tensors of all shapes share a pipeline: on
   software adapters each pipeline takes 50 ms to create. common/weight.wgsl describes the storage.
   storage: "buffer", "texture", or "loose" for one row whose length is not a multiple of 4; dtype; columns: an
   expression for the values per row; binding: its number. Needs quotient.wgsl, and `params` with `packs` (packs per
   row; in a buffer a pack is 4 values unless they are quantized) and `tile` (the texture's width in matrix rows). #}
{% import "common/weight.wgsl" as w %}
{% import "common/quantized.wgsl" as q %}
{% macro declare(storage, dtype, columns, binding) %}
{% if storage == "loose" %}
@group(0) @binding({{ binding }}) var<storage, read> weight: array<f32>;
fn weight_quad(row: u32, quad: u32) -> vec4f {
    return vec4f(weight[quad * 4u], weight[quad * 4u + 1u], weight[quad * 4u + 2u], weight[quad * 4u + 3u]);
}
{% elif dtype not in ("f32", "bf16", "f16") %}
{% if storage == "texture" %}
@group(0) @binding({{ binding }}) var weight: texture_2d<u32>;
fn weight_pack(row: u32, pack: u32) -> vec4u {
    let turn = quotient(row, params.tile);
    return textureLoad(weight, vec2u(row - turn * params.tile, turn * params.packs + pack), 0);
}
{% else %}
@group(0) @binding({{ binding }}) var<storage, read> weight: array<vec4u>;
fn weight_pack(row: u32, pack: u32) -> vec4u { return weight[row * params.packs + pack]; }
{% endif %}
{{ q.declare(dtype, "(" ~ columns ~ " / 32u)") }}
{% elif storage == "texture" %}
@group(0) @binding({{ binding }}) var weight: texture_2d<{{ "f32" if dtype == "f32" else "u32" }}>;
{{ w.unpack_pairs(dtype) }}
fn weight_quad(row: u32, quad: u32) -> vec4f {
    let turn = quotient(row, params.tile);
{% if dtype == "f32" %}
    return textureLoad(weight, vec2u(row - turn * params.tile, turn * params.packs + quad), 0);
{% else %}
    let texel = textureLoad(weight, vec2u(row - turn * params.tile, turn * params.packs + quad / 2u), 0);
    return unpack_low(select(texel.xy, texel.zw, quad % 2u == 1u));
{% endif %}
}
{% else %}
@group(0) @binding({{ binding }}) var<storage, read> weight: array<{{ "vec4f" if dtype == "f32" else "vec2u" }}>;
{{ w.unpack_pairs(dtype) }}
fn weight_quad(row: u32, quad: u32) -> vec4f {
{% if dtype == "f32" %}
    return weight[row * params.packs + quad];
{% else %}
    return unpack_low(weight[row * params.packs + quad]);
{% endif %}
}
{% endif %}
{% endmacro %}

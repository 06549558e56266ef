{# Access to a weight matrix [out, in], the same calls for every storage.
   Values: storage "texture" or "buffer"; dtype "f32", "bf16" or "f16"; columns: its inputs K; tile: texture width in
   rows of the matrix; binding: number. A pack is what one load brings: 4 values of f32, 8 of the others (4 in buffers
   whose rows are no multiple of 8). #}
{% macro unpack_pairs(dtype) %}
{% if dtype == "bf16" %}
// Two bfloat16 values a word, the first in the low half: each is the high half of a float32.
fn unpack_low(words: vec2u) -> vec4f {
    let low = bitcast<vec2f>(words << vec2u(16u));
    let high = bitcast<vec2f>(words & vec2u(0xffff0000u));
    return vec4f(low.x, high.x, low.y, high.y);
}
{% elif dtype == "f16" %}
fn unpack_low(words: vec2u) -> vec4f {
    return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}
{% endif %}
{% endmacro %}
{% macro declare(storage, dtype, columns, tile, binding) %}
{% if storage == "texture" %}
// Texel (row % {{ tile }}, row / {{ tile }} * packs + pack): threads on neighbouring rows read neighbouring texels.
@group(0) @binding({{ binding }}) var weight: texture_2d<{{ "f32" if dtype == "f32" else "u32" }}>;
{% if dtype == "f32" %}
const PACKS = {{ columns // 4 }}u;
const PACK_QUADS = 1u;
fn weight_texel(row: u32, pack: u32) -> vec4f {
    return textureLoad(weight, vec2u(row % {{ tile }}u, row / {{ tile }}u * PACKS + pack), 0);
}
fn weight_quad(row: u32, quad: u32) -> vec4f { return weight_texel(row, quad); }
{% else %}
const PACKS = {{ (columns + 7) // 8 }}u;
const PACK_QUADS = 2u;
{{ unpack_pairs(dtype) }}
fn weight_texel(row: u32, pack: u32) -> vec4u {
    return textureLoad(weight, vec2u(row % {{ tile }}u, row / {{ tile }}u * PACKS + pack), 0);
}
fn weight_quad(row: u32, quad: u32) -> vec4f {
    let texel = weight_texel(row, quad / 2u);
    return unpack_low(select(texel.xy, texel.zw, quad % 2u == 1u));
}
{% endif %}
{% else %}
const PACKS = {{ columns // 4 }}u;
{% if dtype == "f32" %}
@group(0) @binding({{ binding }}) var<storage, read> weight: array<vec4f>;
fn weight_quad(row: u32, quad: u32) -> vec4f { return weight[row * PACKS + quad]; }
{% else %}
@group(0) @binding({{ binding }}) var<storage, read> weight: array<vec2u>;
{{ unpack_pairs(dtype) }}
fn weight_quad(row: u32, quad: u32) -> vec4f { return unpack_low(weight[row * PACKS + quad]); }
{% endif %}
{% endif %}
{% endmacro %}

{# Access to a weight matrix [out, in] with the same calls for every kind of storage.
   storage: "texture" or "buffer"; dtype: "f32", "bf16" or "f16"; columns: inputs of the matrix; tile: texture width in
   matrix rows; binding: its number. A pack is the result of one load: 4 values, or 8 in a texture of 16-bit values. #}
{% macro unpack_pairs(dtype) %}
{% if dtype == "bf16" %}
// A word contains two bfloat16 values, the first in the low half. Each is the high half of a float32.
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
// Texel (row % {{ tile }}, row / {{ tile }} * packs + pack): threads on neighboring rows read neighboring texels.
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

{# Access to a weight matrix [out, in] with the same calls for every kind of storage.
   storage: "texture", "image" (a texture read as a storage texture) or "buffer"; dtype: "f32", "bf16", "f16" or a quantized type; columns: inputs of the matrix; tile:
   texture width in matrix rows; binding: its number. A pack is the result of one load: 4 values, or 8 in a texture of
   16-bit values; for packs of quantized types see quantized.wgsl. eights: a buffer of 16-bit values, in packs of 8. #}
{% import "common/quantized.wgsl" as q %}
{% macro packs(dtype, columns) %}
{% set groups = columns // 32 %}
{% set shared = {"q4_0": 8, "q4_1": 4, "q5_0": 8, "q5_1": 4, "q8_0": 8, "q4_k": 8, "q5_k": 8, "q6_k": 8}[dtype] %}
{% set high = {"q5_0": (groups + 3) // 4, "q5_1": (groups + 3) // 4, "q5_k": (groups + 3) // 4, "q6_k": (groups + 1) // 2} %}
{{ groups * (2 if dtype == "q8_0" else 1) + high.get(dtype, 0) + (groups + shared - 1) // shared
    + ((groups // 8 + 7) // 8 if dtype == "q6_k" else 0) }}
{%- endmacro %}
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
{% macro declare(storage, dtype, columns, tile, binding, eights=false) %}
{% set level = "" if storage == "image" else ", 0" %}
{% set texel = "f32" if dtype == "f32" else "u32" %}
{% set texture = "texture_storage_2d<rgba32" ~ {"f32": "float", "u32": "uint"}[texel] ~ ", read>" if storage == "image" else "texture_2d<" ~ texel ~ ">" %}
{% if dtype not in ("f32", "bf16", "f16") %}
const GROUPS = {{ columns // 32 }}u;
const PACKS = {{ packs(dtype, columns) }}u;
{% if storage != "buffer" %}
@group(0) @binding({{ binding }}) var weight: {{ texture }};
fn weight_pack(row: u32, pack: u32) -> vec4u {
    return textureLoad(weight, vec2u(row % {{ tile }}u, row / {{ tile }}u * PACKS + pack){{ level }});
}
{% else %}
@group(0) @binding({{ binding }}) var<storage, read> weight: array<vec4u>;
fn weight_pack(row: u32, pack: u32) -> vec4u { return weight[row * PACKS + pack]; }
{% endif %}
{{ q.declare(dtype, "GROUPS") }}
{% elif storage != "buffer" %}
// Texel (row % {{ tile }}, row / {{ tile }} * packs + pack): threads on neighboring rows read neighboring texels.
@group(0) @binding({{ binding }}) var weight: {{ texture }};
{% if dtype == "f32" %}
const PACKS = {{ columns // 4 }}u;
const PACK_QUADS = 1u;
fn weight_texel(row: u32, pack: u32) -> vec4f {
    return textureLoad(weight, vec2u(row % {{ tile }}u, row / {{ tile }}u * PACKS + pack){{ level }});
}
fn weight_quad(row: u32, quad: u32) -> vec4f { return weight_texel(row, quad); }
{% else %}
const PACKS = {{ (columns + 7) // 8 }}u;
const PACK_QUADS = 2u;
{{ unpack_pairs(dtype) }}
fn weight_texel(row: u32, pack: u32) -> vec4u {
    return textureLoad(weight, vec2u(row % {{ tile }}u, row / {{ tile }}u * PACKS + pack){{ level }});
}
fn weight_quad(row: u32, quad: u32) -> vec4f {
    let texel = weight_texel(row, quad / 2u);
    return unpack_low(select(texel.xy, texel.zw, quad % 2u == 1u));
}
{% endif %}
{% else %}
{% if eights %}
const PACKS = {{ columns // 8 }}u;
@group(0) @binding({{ binding }}) var<storage, read> weight: array<vec4u>;
{{ unpack_pairs(dtype) }}
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
{% endif %}
{% endmacro %}

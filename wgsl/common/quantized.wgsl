{# Access to a quantized weight [out, in], for all kinds of storage; compute/weights/block_packs.py describes the packs.
   dtype: its type; groups: an expression, the number of groups of 32 values in a row. Needs
   `weight_pack(row, pack) -> vec4u`. A value is scale * code + minimum, with the code counted from the type's zero. #}
{% macro declare(dtype, groups) %}
{% set bits = {"q4_0": 4, "q4_1": 4, "q5_0": 5, "q5_1": 5, "q8_0": 8, "q4_k": 4, "q5_k": 5, "q6_k": 6}[dtype] %}
{% set zero = {"q4_0": 8, "q5_0": 16, "q6_k": 32}.get(dtype, 0) %}
const GROUP_QUADS = 8u;
{% if bits == 8 %}
fn first_scale() -> u32 { return 2u * {{ groups }}; }
{% elif bits == 6 %}
fn first_scale() -> u32 { return {{ groups }} + ({{ groups }} + 1u) / 2u; }
{% elif bits == 5 %}
fn first_scale() -> u32 { return {{ groups }} + ({{ groups }} + 3u) / 4u; }
{% else %}
fn first_scale() -> u32 { return {{ groups }}; }
{% endif %}
// The codes of 4 values, from the zero of the type. pack: the group's codes (for 8 bits, those of the quad).
{% if bits == 8 %}
fn code_pack(row: u32, group: u32, quad: u32) -> vec4u { return weight_pack(row, 2u * group + quad / 4u); }
fn high_bits(row: u32, group: u32) -> vec2u { return vec2u(0u); }
fn codes_of(pack: vec4u, high: vec2u, quad: u32) -> vec4i { return unpack4xI8(pack[quad % 4u]); }
{% else %}
fn code_pack(row: u32, group: u32, quad: u32) -> vec4u { return weight_pack(row, group); }
{% if bits == 6 %}
fn high_bits(row: u32, group: u32) -> vec2u {
    let pack = weight_pack(row, {{ groups }} + group / 2u);
    return select(pack.xy, pack.zw, group % 2u == 1u);
}
{% elif bits == 5 %}
fn high_bits(row: u32, group: u32) -> vec2u {
    return vec2u(weight_pack(row, {{ groups }} + group / 4u)[group % 4u], 0u);
}
{% else %}
fn high_bits(row: u32, group: u32) -> vec2u { return vec2u(0u); }
{% endif %}
fn codes_of(pack: vec4u, high: vec2u, quad: u32) -> vec4i {
    let low = (pack[quad % 4u] >> (quad / 4u * 4u)) & 0x0f0f0f0fu;
{% if bits == 6 %}
    let word = select(high.x, high.y, quad >= 4u) >> (quad % 4u * 8u);
    let upper = ((vec4u(word) >> vec4u(0u, 2u, 4u, 6u)) & vec4u(3u)) << vec4u(4u);
    return vec4i(unpack4xU8(low) | upper) - vec4i({{ zero }});
{% elif bits == 5 %}
    let word = high.x >> (quad * 4u);
    let upper = ((vec4u(word) >> vec4u(0u, 1u, 2u, 3u)) & vec4u(1u)) << vec4u(4u);
    return vec4i(unpack4xU8(low) | upper){{ " - vec4i(" ~ zero ~ ")" if zero }};
{% else %}
    return vec4i(unpack4xU8(low)){{ " - vec4i(" ~ zero ~ ")" if zero }};
{% endif %}
}
{% endif %}
// Scale and minimum of the quad of that index in the group.
{% if dtype == "q6_k" %}
fn scale_of(row: u32, group: u32, quad: u32) -> vec2f {
    let block = group / 8u;
    let scales = weight_pack(row, first_scale() + block);
    let sixteen = group % 8u * 2u + quad / 4u;
    let scale = unpack4xI8(scales[sixteen / 4u])[sixteen % 4u];
    let halves = weight_pack(row, first_scale() + {{ groups }} / 8u + block / 8u)[block % 8u / 2u];
    return vec2f(unpack2x16float(halves)[block % 2u] * f32(scale), 0.0);
}
{% elif dtype in ("q4_k", "q5_k") %}
fn scale_of(row: u32, group: u32, quad: u32) -> vec2f {
    let pack = weight_pack(row, first_scale() + group / 8u);
    let shift = group % 8u * 4u;
    let upper = pack.w >> shift;
    let scale = ((pack.y >> shift) & 15u) | ((upper & 3u) << 4u);
    let minimum = ((pack.z >> shift) & 15u) | ((upper & 12u) << 2u);
    return unpack2x16float(pack.x) * vec2f(f32(scale), -f32(minimum));
}
{% elif dtype in ("q4_1", "q5_1") %}
fn scale_of(row: u32, group: u32, quad: u32) -> vec2f {
    return unpack2x16float(weight_pack(row, first_scale() + group / 4u)[group % 4u]);
}
{% else %}
fn scale_of(row: u32, group: u32, quad: u32) -> vec2f {
    return vec2f(unpack2x16float(weight_pack(row, first_scale() + group / 8u)[group % 8u / 2u])[group % 2u], 0.0);
}
{% endif %}
fn weight_quad(row: u32, quad: u32) -> vec4f {
    let group = quad / GROUP_QUADS;
    let inside = quad % GROUP_QUADS;
    let scale = scale_of(row, group, inside);
    return vec4f(codes_of(code_pack(row, group, inside), high_bits(row, group), inside)) * scale.x + scale.y;
}
{% endmacro %}
{% macro parts(dtype) %}
// How a value is stored: its code, and the bits of its scale and its minimum.
fn weight_parts(row: u32, column: u32) -> vec3u {
    let group = column / 32u;
    let quad = column / 4u % GROUP_QUADS;
    let codes = codes_of(code_pack(row, group, quad), high_bits(row, group), quad);
    let scale = scale_of(row, group, quad);
    let code = codes[column % 4u] + {{ {"q4_0": 8, "q5_0": 16, "q6_k": 32}.get(dtype, 0) }};
    return vec3u(bitcast<u32>(code), bitcast<u32>(scale.x), bitcast<u32>(scale.y));
}
{% endmacro %}

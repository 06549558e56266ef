// y[r, o] = sum_k x[r, k] * weight[o, k] + bias[o]. A thread computes one output for all rows of a sub-chunk, so that
// every weight is loaded once. Epilogues: GELU, or addition to the residual stream in place.
// For software adapters, which load x from a uniform and weights from a texture several times faster.
{% import "common/weight.wgsl" as w %}
{% include "common/state.wgsl" %}
const INPUTS = {{ inputs }}u;
const OUTPUTS = {{ outputs }}u;
const QUADS = INPUTS / 4u;
const ROWS = {{ rows }}u;
struct Params {
    first: u32,        // chunk row of row 0 of x
    first_out: u32,    // output of row 0 of this shard
    outs: u32,         // outputs of this shard
    offset: u32,       // of the product with bias in the activation buffer, in elements
    after_offset: u32, // of the result of the epilogue, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
{% if x_space == "uniform" %}
@group(0) @binding(2) var<uniform> x: array<vec4f, {{ rows * inputs // 4 }}>;
{% else %}
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
{% endif %}
{{ w.declare(storage, dtype, inputs, tile, 3) }}
{% if bias %}
@group(0) @binding(4) var<storage, read> bias: array<f32>;
{% endif %}
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
{% if trace %}
@group(0) @binding(6) var<storage, read_write> activations: array<f32>;
{% endif %}
{% macro x_row(r) %}{{ r ~ "u" if x_space == "uniform" else "(params.first + " ~ r ~ "u)" }} * QUADS{% endmacro %}
{% include "forward/common/epilogue.wgsl" %}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (state.done != 0u) { return; }
    if (id.x >= params.outs) { return; }
    let local_out = id.x;
{% for r in range(rows) %}
    var sum{{ r }} = 0.0;
{% endfor %}
{% if storage == "texture" and dtype != "f32" %}
    let column = local_out % {{ tile }}u;
    let top = local_out / {{ tile }}u * PACKS;
    for (var pack = 0u; pack < PACKS; pack++) {
        let texel = textureLoad(weight, vec2u(column, top + pack), 0);
        let low = unpack_low(texel.xy);
        let high = unpack_low(texel.zw);
{% if inputs % 8 %}
        // The second quad of the last pack is padding, and x must not be read past its end.
        let second = min(pack * 2u + 1u, QUADS - 1u);
{% else %}
        let second = pack * 2u + 1u;
{% endif %}
{% for r in range(rows) %}
        sum{{ r }} += dot(low, x[{{ x_row(r) }} + pack * 2u]) + dot(high, x[{{ x_row(r) }} + second]);
{% endfor %}
    }
{% elif storage == "texture" %}
    let column = local_out % {{ tile }}u;
    let top = local_out / {{ tile }}u * PACKS;
    for (var pack = 0u; pack < PACKS; pack++) {
        let quad = textureLoad(weight, vec2u(column, top + pack), 0);
{% for r in range(rows) %}
        sum{{ r }} += dot(quad, x[{{ x_row(r) }} + pack]);
{% endfor %}
    }
{% else %}
    for (var pack = 0u; pack < QUADS; pack++) {
        let quad = weight_quad(local_out, pack);
{% for r in range(rows) %}
        sum{{ r }} += dot(quad, x[{{ x_row(r) }} + pack]);
{% endfor %}
    }
{% endif %}
    let out = params.first_out + local_out;
    let added_bias = {{ "bias[out]" if bias else "0.0" }};
{% for r in range(rows) %}
    store(params.first + {{ r }}u, out, sum{{ r }} + added_bias);
{% endfor %}
}

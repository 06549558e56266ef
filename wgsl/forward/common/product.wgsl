// What the matrix products over rows share: sizes, parameters, bindings, and what they do with each result.
// storage: of the matrix, see common/weight.wgsl; uniform_rows: rows of x in a uniform, 0 when x is a storage buffer;
// chunked: x begins at some row of the chunk; eights: see common/weight.wgsl; norm: "layer" or "rms" when x is the norm of
// the rows that are bound, see forward/common/row_norm.wgsl, else ""; stored: see forward/common/epilogue.wgsl.
{% import "common/weight.wgsl" as w %}
{% include "common/state.wgsl" %}
const INPUTS = {{ inputs }}u;
const OUTPUTS = {{ outputs }}u;
const QUADS = INPUTS / 4u;
struct Params {
{% if chunked %}
    first: u32,        // chunk row of row 0 of x
{% endif %}
    first_out: u32,    // output of row 0 of this shard
    outs: u32,         // outputs of this shard
{% if norm %}
    norm_offset: u32,  // of the norm in the activation buffer, in elements
{% endif %}
    offset: u32,       // of the product with bias in the activation buffer, in elements
    after_offset: u32, // of the result of the epilogue, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
{% if uniform_rows %}
@group(0) @binding(2) var<uniform> x: array<vec4f, {{ uniform_rows * inputs // 4 }}>;
{% else %}
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
{% endif %}
{{ w.declare(storage, dtype, inputs, tile, 3, eights | default(false)) }}
{% if bias %}
@group(0) @binding(4) var<storage, read> bias: array<f32>;
{% endif %}
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
{% if trace %}
@group(0) @binding(6) var<storage, read_write> activations: array<f32>;
{% endif %}
{% if norm %}
@group(0) @binding(7) var<storage, read> scale: array<vec4f>;
{% if shift %}
@group(0) @binding(8) var<storage, read> shift: array<vec4f>;
{% endif %}
{% endif %}
{% include "forward/common/epilogue.wgsl" %}

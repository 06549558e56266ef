// What the matrix products over rows of a prompt on a GPU share: sizes, parameters, bindings, and what they do with each
// result. The matrix is in buffers.
{% import "common/weight.wgsl" as w %}
{% include "common/state.wgsl" %}
const INPUTS = {{ inputs }}u;
const OUTPUTS = {{ outputs }}u;
const QUADS = INPUTS / 4u;
struct Params {
    first_out: u32,    // output of row 0 of this shard
    outs: u32,         // outputs of this shard
    offset: u32,       // of the product with bias in the activation buffer, in elements
    after_offset: u32, // of the result of the epilogue, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
{{ w.declare("buffer", dtype, inputs, 0, 3) }}
{% if bias %}
@group(0) @binding(4) var<storage, read> bias: array<f32>;
{% endif %}
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
{% if trace %}
@group(0) @binding(6) var<storage, read_write> activations: array<f32>;
{% endif %}
{% include "forward/common/epilogue.wgsl" %}

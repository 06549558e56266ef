// Pairs of a neuron's value and what it adds to the logit, from `slot` of the results on.
{% include "lens/common/token_aim.wgsl" %}
const COLUMNS = {{ columns }}u;
struct Params {
    slot: u32,
}
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<f32>; // [context, COLUMNS]
@group(0) @binding(3) var<storage, read> direction: array<f32>;
@group(0) @binding(4) var<storage, read_write> results: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = id.x;
    if (i >= COLUMNS) { return; }
    let value = x[aim.row * COLUMNS + i];
    results[params.slot + 2u * i] = value;
    results[params.slot + 2u * i + 1u] = value * direction[i];
}

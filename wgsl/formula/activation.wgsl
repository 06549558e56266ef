// For x = results[at]: the share of x that {{ function }} lets through, and {{ function }}(x), which is their product, to
// results[to] and results[to + 1]. One invocation.
struct Params {
    at: u32,
    to: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
{% include "common/" ~ function ~ ".wgsl" %}

@compute @workgroup_size(1)
fn main() {
    let x = results[params.at];
    let near = select(x, 1e-6, x == 0.0); // the share at 0 is the limit, 0 / 0 is none
    results[params.to] = {{ function }}(near) / near;
    results[params.to + 1u] = {{ function }}(x);
}

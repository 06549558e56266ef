// Copies one value of the row of a weight that belongs to the token of a context row, and that token's id: results[to]
// and results[to + 1]. Shards without that row write nothing. One invocation.
{% import "common/weight.wgsl" as w %}
{% include "common/state.wgsl" %}
struct Params {
    row: u32,    // of the context
    column: u32, // of the weight
    first: u32,  // row of the weight that row 0 of this shard is
    rows: u32,   // rows of this shard
    to: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
{{ w.declare(storage, dtype, columns, tile, 1) }}
@group(0) @binding(2) var<storage, read_write> results: array<f32>;
@group(0) @binding(3) var<storage, read> state: State;
@group(0) @binding(4) var<storage, read> history: array<u32>;

@compute @workgroup_size(1)
fn main() {
    let token = history[state.context_start + params.row];
    if (token < params.first || token - params.first >= params.rows) { return; }
    results[params.to] = weight_quad(token - params.first, params.column / 4u)[params.column % 4u];
    results[params.to + 1u] = f32(token); // exact: a vocabulary has fewer than 2^24 tokens
}

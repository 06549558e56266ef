// The row of x that needs logits, for a head that reads no layer norm. Chunks without that row write nothing.
{% include "common/state.wgsl" %}
const COLUMNS = {{ columns }}u;
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> head_input: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (state.done != 0u || id.x >= COLUMNS || state.last_row < state.first_row) { return; }
    let row = state.last_row - state.first_row;
    if (row < state.rows) { head_input[id.x] = x[row * COLUMNS + id.x]; }
}

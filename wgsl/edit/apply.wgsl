// Applies the edits of one tensor to the rows of the chunk, right after they were written, in the working buffer and in
// the kept copy. With `head` it is the row of logits. Grid: (columns in 64s, rows).
{% import "common/edits.wgsl" as e %}
{% include "common/state.wgsl" %}
{% include "forward/common/sequence.wgsl" %}
const COLUMNS = {{ columns }}u;
struct Params {
    point: u32,
    offset: u32, // of the tensor in the activation buffer, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
{{ e.declare(3, 4) }}
{% if trace %}
@group(0) @binding(5) var<storage, read_write> activations: array<f32>;
{% endif %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (state.done != 0u || id.x >= COLUMNS) { return; }
{% if head %}
    let row = state.last_row;
{% else %}
    if (id.y >= state.rows) { return; }
    let row = state.first_row + id.y;
{% endif %}
    edited_sequence = sequence_of(row);
    let position = edits[0] + state.context_start + row - sequence_start(row);
    let at = id.y * COLUMNS + id.x;
    let value = edited(params.point, position, id.x, y[at], true);
    y[at] = value;
{% if trace %}
    activations[params.offset + row * COLUMNS + id.x] = value;
{% endif %}
}

// y[r, :] = table[index of row r, :]; the index is the row's token, or its absolute position.
// Grid: (quads of columns, rows).
{% import "common/weight.wgsl" as w %}
{% include "common/state.wgsl" %}
{% if by == "position" %}
{% include "forward/common/sequence.wgsl" %}
{% endif %}
const COLUMNS = {{ columns }}u;
const QUADS = COLUMNS / 4u;
struct Params {
    first: u32, // row of the table that row 0 of this shard is
    rows: u32,  // rows of this shard
    last: u32,  // last row of the whole table: later positions take it
    offset: u32, // offset of the result in the activation buffer, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
{% if by == "token" %}
@group(0) @binding(2) var<storage, read> history: array<u32>;
{% endif %}
{{ w.declare(storage, dtype, columns, tile, 3) }}
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
{% if trace %}
@group(0) @binding(5) var<storage, read_write> activations: array<f32>;
{% endif %}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (state.done != 0u) { return; }
    let quad = id.x;
    let r = id.y;
    if (quad >= QUADS || r >= state.rows) { return; }
    let row = state.first_row + r;
{% if by == "token" %}
    let index = history[state.context_start + row];
{% else %}
    let index = min(state.position + row - sequence_start(row), params.last);
{% endif %}
    // Rows of other shards are left alone.
    if (index < params.first || index - params.first >= params.rows) { return; }
    let value = weight_quad(index - params.first, quad);
    y[r * QUADS + quad] = value;
{% if trace %}
    let kept = params.offset + row * COLUMNS + quad * 4u;
    for (var i = 0u; i < 4u; i++) { activations[kept + i] = value[i]; }
{% endif %}
}

// y[r, c] = x[r, c] / sqrt(mean of the squares of its group + epsilon) * (scale[c] + offset). A group is SIZE neighboring
// columns, the whole row or one head. Grid: (rows, groups), a workgroup each.
// With `head`, the row that needs logits is also written separately, for the head.
{% include "common/state.wgsl" %}
const COLUMNS = {{ columns }}u;
const SIZE = {{ size }}u;
const THREADS = 64u;
const EPSILON = {{ epsilon }};
struct Params {
    offset: u32, // of the result in the activation buffer, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% if trace %}
@group(0) @binding(5) var<storage, read_write> activations: array<f32>;
{% endif %}
{% if head %}
@group(0) @binding(6) var<storage, read_write> head_input: array<f32>;
{% endif %}

var<workgroup> partial: array<f32, THREADS>;

{% include "common/workgroup.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    if (state.done != 0u) { return; }
    let r = group.x;
    let first = group.y * SIZE;
    let base = r * COLUMNS + first;
    var squares = 0.0;
    for (var c = thread; c < SIZE; c += THREADS) { squares += x[base + c] * x[base + c]; }
    let inverse = 1.0 / sqrt(sum_over_workgroup(squares, thread) / f32(SIZE) + EPSILON);
    let row = state.first_row + r;
    for (var c = thread; c < SIZE; c += THREADS) {
        let value = x[base + c] * inverse * (scale[c] + f32({{ offset }}));
        y[base + c] = value;
{% if trace %}
        if (r < state.rows) { activations[params.offset + row * COLUMNS + first + c] = value; }
{% endif %}
{% if head %}
        if (row == state.last_row) { head_input[first + c] = value; }
{% endif %}
    }
}

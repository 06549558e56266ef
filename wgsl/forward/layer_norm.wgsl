// y[r, c] = (x[r, c] - mean_r) / sqrt(variance_r + epsilon) * scale[c] + shift[c]; one workgroup per row.
// Without `shift` nothing is added. With `head`, the row that needs logits is also written separately, for the head.
{% include "common/state.wgsl" %}
const CHANNELS = {{ channels }}u;
const THREADS = 64u;
const EPSILON = {{ epsilon }};
struct Params {
    offset: u32, // of the result in the activation buffer, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
{% if shift %}
@group(0) @binding(4) var<storage, read> shift: array<f32>;
{% endif %}
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
{% if trace %}
@group(0) @binding(6) var<storage, read_write> activations: array<f32>;
{% endif %}
{% if head %}
@group(0) @binding(7) var<storage, read_write> head_input: array<f32>;
{% endif %}

var<workgroup> partial: array<f32, THREADS>;

{% include "common/workgroup.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    if (state.done != 0u) { return; }
    let r = group.x;
    let base = r * CHANNELS;
    var sum = 0.0;
    for (var c = thread; c < CHANNELS; c += THREADS) { sum += x[base + c]; }
    let mean = sum_over_workgroup(sum, thread) / f32(CHANNELS);
    // Two passes over x: summing squared differences avoids the cancellation of a difference of squares.
    var squares = 0.0;
    for (var c = thread; c < CHANNELS; c += THREADS) {
        let d = x[base + c] - mean;
        squares += d * d;
    }
    let variance = sum_over_workgroup(squares, thread) / f32(CHANNELS);
    let inverse = 1.0 / sqrt(variance + EPSILON);
    let row = state.first_row + r;
    for (var c = thread; c < CHANNELS; c += THREADS) {
        let value = (x[base + c] - mean) * inverse * scale[c]{{ " + shift[c]" if shift }};
        y[base + c] = value;
{% if trace %}
        if (r < state.rows) { activations[params.offset + row * CHANNELS + c] = value; }
{% endif %}
{% if head %}
        if (row == state.last_row) { head_input[c] = value; }
{% endif %}
    }
}

// Mean, deviation sqrt(variance + epsilon), and the normalized value at one column, of a row that is among the results:
// results[to], results[to + 1] and results[to + 2]. If not `centered`, the mean is taken as 0. One workgroup.
const THREADS = 64u;
struct Params {
    row: u32,    // index of the row's first value
    count: u32,  // values of the row
    column: u32,
    to: u32,
    epsilon: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

{% include "common/workgroup.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
{% if centered %}
    var sum = 0.0;
    for (var c = thread; c < params.count; c += THREADS) { sum += results[params.row + c]; }
    let mean = sum_over_workgroup(sum, thread) / f32(params.count);
{% else %}
    let mean = 0.0;
{% endif %}
    var squares = 0.0;
    for (var c = thread; c < params.count; c += THREADS) {
        let d = results[params.row + c] - mean;
        squares += d * d;
    }
    let deviation = sqrt(sum_over_workgroup(squares, thread) / f32(params.count) + params.epsilon);
    if (thread == 0u) {
        results[params.to] = mean;
        results[params.to + 1u] = deviation;
        results[params.to + 2u] = (results[params.row + params.column] - mean) / deviation;
    }
}

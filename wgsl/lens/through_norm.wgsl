// y[c] = direction[c] * (scale[c] + offset) / root mean square of x: what a value of the norm's input x adds to the logit,
// with the norm's divisor frozen at this row's. One workgroup.
{% include "lens/common/token_aim.wgsl" %}
const COLUMNS = {{ columns }}u;
const EPSILON = {{ epsilon }};
const THREADS = 64u;
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [context, columns]
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read> direction: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

{% include "common/workgroup.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
    let row = aim.row * COLUMNS;
    var squares = 0.0;
    for (var c = thread; c < COLUMNS; c += THREADS) { squares += x[row + c] * x[row + c]; }
    let inverse = 1.0 / sqrt(sum_over_workgroup(squares, thread) / f32(COLUMNS) + EPSILON);
    for (var c = thread; c < COLUMNS; c += THREADS) { y[c] = direction[c] * (scale[c] + f32({{ offset }})) * inverse; }
}

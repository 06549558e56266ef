// weights[r, t] = softmax over t <= r of scores[r, t], 0 for later keys. One workgroup per row.
const CONTEXT = {{ context }}u;
const THREADS = 64u;
@group(0) @binding(0) var<uniform> params: vec4u; // x: first row
@group(0) @binding(1) var<storage, read> all_scores: array<f32>; // [context, context]
@group(0) @binding(2) var<storage, read_write> weights: array<f32>; // [context, context]

var<workgroup> scores: array<f32, CONTEXT>;
var<workgroup> partial: array<f32, THREADS>;

{% include "common/softmax.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let row = params.x + group.x;
    var highest = -3.4e38;
    for (var t = thread; t <= row; t += THREADS) {
        scores[t] = all_scores[row * CONTEXT + t];
        highest = max(highest, scores[t]);
    }
    let inverse = softmax(row + 1u, thread, highest);
    for (var t = thread; t < CONTEXT; t += THREADS) {
        weights[row * CONTEXT + t] = select(0.0, scores[t] * inverse, t <= row);
    }
}

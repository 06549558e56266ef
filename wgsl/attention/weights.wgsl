// weights[r, t] = softmax of scores[r, t] over the keys t that query r sees, 0 for others. One workgroup per row.
// edited: whether attention edited scores or weights; the weights are those that it used.
{% import "common/edits.wgsl" as e %}
{% import "common/edited_attention.wgsl" as a %}
const CONTEXT = {{ context }}u;
const THREADS = 64u;
const WINDOW = {{ window if window else context }}u; // tokens that a query sees
@group(0) @binding(0) var<uniform> params: vec4u; // x: first row, y: head
@group(0) @binding(1) var<storage, read> all_scores: array<f32>; // [context, context]
@group(0) @binding(2) var<storage, read_write> weights: array<f32>; // [context, context]

var<workgroup> scores: array<f32, CONTEXT>;
var<workgroup> partial: array<f32, THREADS>;

{% if edited %}
{% include "common/state.wgsl" %}
@group(0) @binding(3) var<storage, read> state: State;
@group(0) @binding(4) var<uniform> points: vec4u; // x: of scores, y: of the pattern
{{ e.declare(5, 6) }}
{{ a.edited_pattern(false, true, "points.x", "points.y") }}
{% else %}
{% include "common/softmax.wgsl" %}
{% endif %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let row = params.x + group.x;
    let first_seen = max(row + 1u, WINDOW) - WINDOW;
    var highest = -3.4e38;
    for (var t = thread; t <= row; t += THREADS) {
        scores[t] = all_scores[row * CONTEXT + t];
{% if edited %}
        if (bitcast<u32>(scores[t]) == MINUS_INFINITY) { scores[t] = NO_SCORE; }
{% endif %}
        if (t < first_seen) { scores[t] = -3.4e38; }
        highest = max(highest, scores[t]);
    }
{% if edited %}
    let start = edits[0] + state.context_start;
    make_pattern(start + row, params.y, start, row + 1u, thread, highest, false);
    let inverse = 1.0;
{% else %}
    let inverse = softmax(row + 1u, thread, highest);
{% endif %}
    for (var t = thread; t < CONTEXT; t += THREADS) {
        weights[row * CONTEXT + t] = select(0.0, scores[t] * inverse, t >= first_seen && t <= row);
    }
}

// As forward/attention_rows, with edits of scores before the causal mask and the softmax, and of the pattern after it.
// One workgroup per (head, row). Grid: (heads, rows).
{% import "common/kv_cache.wgsl" as kv %}
{% import "edit/common/edits.wgsl" as e %}
{% import "edit/common/attention.wgsl" as a %}
{% include "common/state.wgsl" %}
{% include "forward/common/sequence.wgsl" %}
const CHANNELS = {{ channels }}u;
const CHANNEL_QUADS = {{ channels // 4 }}u;
const HEAD_QUADS = {{ head_size // 4 }}u;
const CONTEXT = {{ context }}u;
const SCALE = {{ scale }};
const THREADS = 64u;
struct Params {
    offset: u32, // of the result in the activation buffer, in elements
    scores_point: u32,
    pattern_point: u32,
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> qkv: array<vec4f>;
{{ kv.reader(storage, 3) }}
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
{% if trace %}
@group(0) @binding(5) var<storage, read_write> activations: array<f32>;
{% endif %}
{{ e.declare(6, 7) }}

var<workgroup> query: array<vec4f, HEAD_QUADS>;
var<workgroup> scores: array<f32, CONTEXT>;
var<workgroup> partial: array<f32, THREADS>;

{{ a.edited_pattern(scores, pattern) }}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    if (state.done != 0u) { return; }
    let head = group.x;
    let r = group.y;
    let row = state.first_row + r;
    // Unused rows of a chunk would have keys beyond the context.
    let last = min(row, CONTEXT - 1u);
    let start = sequence_start(last);
    let keys = last + 1u - start;
    let counted = r < state.rows;
    let first_key = edits[0] + state.context_start;
    let position = first_key + last - start;
    edited_sequence = sequence_of(last);
    for (var quad = thread; quad < HEAD_QUADS; quad += THREADS) {
        query[quad] = qkv[r * 3u * CHANNEL_QUADS + head * HEAD_QUADS + quad];
    }
    workgroupBarrier();

    var highest = NO_SCORE;
    for (var t = thread; t < keys; t += THREADS) {
        var score = 0.0;
        for (var quad = 0u; quad < HEAD_QUADS; quad++) {
            score += dot(query[quad], cached(start + t, head * HEAD_QUADS + quad));
        }
        score = edited_score(position, head, first_key + t, score * SCALE, counted);
        scores[t] = score;
        highest = max(highest, score);
    }
    make_pattern(position, head, first_key, keys, thread, highest, counted);

    for (var quad = thread; quad < HEAD_QUADS; quad += THREADS) {
        var sum = vec4f(0.0);
        for (var t = 0u; t < keys; t++) {
            sum += scores[t] * cached(start + t, CHANNEL_QUADS + head * HEAD_QUADS + quad);
        }
        let at = head * HEAD_QUADS + quad;
        y[r * CHANNEL_QUADS + at] = sum;
{% if trace %}
        if (counted) {
            let kept = params.offset + row * CHANNELS + at * 4u;
            for (var i = 0u; i < 4u; i++) { activations[kept + i] = sum[i]; }
        }
{% endif %}
    }
}

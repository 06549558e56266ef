// out[r, h, :] = softmax_t(score of q[r, h] and k[t, g]) v[t, g], t from the start of the sequence, or of the window, to
// r; g is the key-value head of h.
// One workgroup per (head, row), with the scores of all keys in shared memory. Grid: (heads, rows).
// scores, pattern: whether scores are edited before the causal mask and the softmax, and the pattern after it.
{% import "common/kv_cache.wgsl" as kv %}
{% import "common/heads.wgsl" as h %}
{% import "common/score.wgsl" as s %}
{% import "common/edits.wgsl" as e %}
{% import "common/edited_attention.wgsl" as a %}
{% include "forward/common/attention.wgsl" %}
const THREADS = {{ threads }}u;
// Threads that share the sum over keys of one quad of channels.
const PARTS = THREADS / HEAD_QUADS;
struct Params {
    offset: u32, // of the result in the activation buffer, in elements
{% if scores or pattern %}
    scores_point: u32,
    pattern_point: u32,
{% endif %}
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
{{ h.reader("query_of", 2, query_columns, query_first, query_step) }}
{{ kv.reader(storage, 3) }}
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
{% if trace %}
@group(0) @binding(5) var<storage, read_write> activations: array<f32>;
{% endif %}

var<workgroup> query: array<vec4f, HEAD_QUADS>;
var<workgroup> scores: array<f32, {{ [window, context] | min if window else context }}>;
var<workgroup> partial: array<f32, THREADS>;
var<workgroup> sums: array<vec4f, THREADS>;

{{ s.declare(scale, cap) }}
{% if scores or pattern %}
{{ e.declare(6, 7) }}
{{ a.edited_pattern(scores, pattern) }}
{% else %}
{% include "common/softmax.wgsl" %}
{% endif %}

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    if (state.done != 0u) { return; }
    let head = group.x;
    let r = group.y;
    let row = state.first_row + r;
    // Unused rows of a chunk would have keys beyond the context.
    let last = min(row, CONTEXT - 1u);
    let begin = sequence_start(last);
{% if window %}
    let start = max(begin, max(last + 1u, {{ window }}u) - {{ window }}u);
{% else %}
    let start = begin;
{% endif %}
    let keys = last + 1u - start;
    let shared_head = head / GROUP * HEAD_QUADS;
{% if scores or pattern %}
    let counted = r < state.rows;
    let first_key = edits[0] + state.context_start + start - begin;
    let position = first_key + last - start;
    edited_sequence = sequence_of(last);
{% endif %}
    if (thread < HEAD_QUADS) { query[thread] = query_of(r, head, thread); }
    workgroupBarrier();

    var highest = -3.4e38;
    for (var t = thread; t < keys; t += THREADS) {
        var score = 0.0;
        for (var quad = 0u; quad < HEAD_QUADS; quad++) {
            score += dot(query[quad], cached(start + t, shared_head + quad));
        }
        score = score_of(score);
{% if scores or pattern %}
        score = edited_score(position, head, first_key + t, score, counted);
{% endif %}
        scores[t] = score;
        highest = max(highest, score);
    }
{% if scores or pattern %}
    make_pattern(position, head, first_key, keys, thread, highest, counted);
    let inverse = 1.0;
{% else %}
    let inverse = softmax(keys, thread, highest);
{% endif %}

    let quad = thread % HEAD_QUADS;
    let part = thread / HEAD_QUADS;
    var sum = vec4f(0.0);
    if (part < PARTS) {
        for (var t = part; t < keys; t += PARTS) {
            sum += scores[t] * cached(start + t, KV_QUADS + shared_head + quad);
        }
    }
    sums[thread] = sum;
    workgroupBarrier();
    if (part == 0u) {
        for (var other = 1u; other < PARTS; other++) { sum += sums[thread + other * HEAD_QUADS]; }
        sum *= inverse;
        let at = head * HEAD_QUADS + quad;
        y[r * COLUMNS / 4u + at] = sum;
{% if trace %}
        if (r < state.rows) {
            let kept = params.offset + row * COLUMNS + at * 4u;
            for (var i = 0u; i < 4u; i++) { activations[kept + i] = sum[i]; }
        }
{% endif %}
    }
}

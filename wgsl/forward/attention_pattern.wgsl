// pattern[h, r, t] = softmax over t of the scores of q[r, h] and the keys that it sees, 0 for others, from the kept queries
// and keys of one layer; t counts from the start of the row's sequence. One workgroup per (head, row). Grid: (heads, rows).
// scores, pattern: whether attention edited these; the pattern is the one that it used.
{% import "common/heads.wgsl" as h %}
{% import "common/score.wgsl" as s %}
{% import "common/edits.wgsl" as e %}
{% import "common/edited_attention.wgsl" as a %}
const HEAD_QUADS = {{ head_size // 4 }}u;
const CONTEXT = {{ context }}u; // rows of the longest context
const ROWS = {{ rows }}u;     // rows per head in the result
const GROUP = {{ heads // kv_heads }}u; // heads that share a key head
const THREADS = 64u;
struct Params {
    first_row: u32,
    base: u32, // context row of row 0 of the result
    sequence: u32, // rows of each sequence of a batch, as in the state
    stride: u32, // elements between rows of the result
}
@group(0) @binding(0) var<uniform> params: Params;
{{ h.reader("query_of", 1, query_columns, query_first, query_step) }}
{{ h.reader("key_of", 7, key_columns, key_first, key_step) }}
@group(0) @binding(2) var<storage, read_write> result: array<f32>; // [heads, rows, stride]
{{ s.declare(scale, cap) }}

var<workgroup> query: array<vec4f, HEAD_QUADS>;
var<workgroup> scores: array<f32, CONTEXT>;
var<workgroup> partial: array<f32, THREADS>;

{% if scores or pattern %}
{% include "common/state.wgsl" %}
@group(0) @binding(3) var<storage, read> state: State; // of the latest pass
@group(0) @binding(4) var<uniform> points: vec4u; // x: of scores, y: of the pattern
{{ e.declare(5, 6) }}
{{ a.edited_pattern(scores, pattern, "points.x", "points.y") }}
{% else %}
{% include "common/softmax.wgsl" %}
{% endif %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let head = group.x;
    let row = params.first_row + group.y;
    let begin = row - row % params.sequence;
{% if window %}
    let first = max(begin, max(row + 1u, {{ window }}u) - {{ window }}u);
{% else %}
    let first = begin;
{% endif %}
    let unseen = first - begin;
    let keys = row + 1u - first;
{% if scores or pattern %}
    let first_key = edits[0] + state.context_start + unseen;
    let position = first_key + row - first;
    edited_sequence = row / params.sequence;
{% endif %}
    for (var quad = thread; quad < HEAD_QUADS; quad += THREADS) {
        query[quad] = query_of(row, head, quad);
    }
    workgroupBarrier();

    var highest = -3.4e38;
    for (var t = thread; t < keys; t += THREADS) {
        var score = 0.0;
        for (var quad = 0u; quad < HEAD_QUADS; quad++) { score += dot(query[quad], key_of(first + t, head / GROUP, quad)); }
        score = score_of(score);
{% if scores or pattern %}
        score = edited_score(position, head, first_key + t, score, false);
{% endif %}
        scores[t] = score;
        highest = max(highest, score);
    }
{% if scores or pattern %}
    make_pattern(position, head, first_key, keys, thread, highest, false);
    let inverse = 1.0;
{% else %}
    let inverse = softmax(keys, thread, highest);
{% endif %}
    let start = (head * ROWS + row - params.base) * params.stride;
    for (var t = thread; t < params.stride; t += THREADS) {
        let key = max(t, unseen) - unseen;
        result[start + t] = select(0.0, scores[min(key, CONTEXT - 1u)] * inverse, t >= unseen && key < keys);
    }
}

// As forward/attention_pattern, with the edits that attention used. One workgroup per (head, row). Grid: (heads, rows).
{% import "edit/common/edits.wgsl" as e %}
{% import "edit/common/attention.wgsl" as a %}
{% include "common/state.wgsl" %}
const CHANNEL_QUADS = {{ channels // 4 }}u;
const HEAD_QUADS = {{ head_size // 4 }}u;
const CONTEXT = {{ context }}u; // rows of the longest context
const ROWS = {{ rows }}u;     // rows per head in the result
const SCALE = {{ scale }};
const THREADS = 64u;
struct Params {
    first_row: u32,
    base: u32, // context row of row 0 of the result
    sequence: u32, // rows of each sequence of a batch, as in the state
    stride: u32, // elements between rows of the result
}
struct Points {
    scores_point: u32,
    pattern_point: u32,
}
@group(0) @binding(0) var<uniform> rows: Params;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>; // [context, 3 * channels]
@group(0) @binding(2) var<storage, read_write> result: array<f32>; // [heads, rows, stride]
@group(0) @binding(3) var<storage, read> state: State; // of the latest pass
@group(0) @binding(4) var<uniform> params: Points;
{{ e.declare(5, 6) }}

var<workgroup> query: array<vec4f, HEAD_QUADS>;
var<workgroup> scores: array<f32, CONTEXT>;
var<workgroup> partial: array<f32, THREADS>;

{{ a.edited_pattern(scores, pattern) }}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let head = group.x;
    let row = rows.first_row + group.y;
    let first = row - row % rows.sequence;
    let keys = row + 1u - first;
    let first_key = edits[0] + state.context_start;
    let position = first_key + row - first;
    edited_sequence = row / rows.sequence;
    for (var quad = thread; quad < HEAD_QUADS; quad += THREADS) {
        query[quad] = qkv[row * 3u * CHANNEL_QUADS + head * HEAD_QUADS + quad];
    }
    workgroupBarrier();

    var highest = NO_SCORE;
    for (var t = thread; t < keys; t += THREADS) {
        let key = ((first + t) * 3u + 1u) * CHANNEL_QUADS + head * HEAD_QUADS;
        var score = 0.0;
        for (var quad = 0u; quad < HEAD_QUADS; quad++) { score += dot(query[quad], qkv[key + quad]); }
        score = edited_score(position, head, first_key + t, score * SCALE, false);
        scores[t] = score;
        highest = max(highest, score);
    }
    make_pattern(position, head, first_key, keys, thread, highest, false);
    let start = (head * ROWS + row - rows.base) * rows.stride;
    for (var t = thread; t < rows.stride; t += THREADS) {
        result[start + t] = select(0.0, scores[min(t, CONTEXT - 1u)], t < keys);
    }
}

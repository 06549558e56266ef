// Attention for many rows: a workgroup computes QUERIES rows of one head. It loops over tiles of keys in shared memory,
// with the running maximum and sum of an online softmax. Grid: (heads, tiles of rows).
{% import "common/kv_cache.wgsl" as kv %}
{% import "common/heads.wgsl" as h %}
{% import "common/score.wgsl" as s %}
{% include "forward/common/attention.wgsl" %}
const QUERIES = 16u;
const KEYS = 32u;
const THREADS = 128u;
const MATES = THREADS / QUERIES; // threads per query
const STRIDE = HEAD_QUADS + 1u;  // vectors: padded, so that neighboring rows are in different banks
struct Params {
    offset: u32, // of the result in the activation buffer, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
{{ h.reader("query_of", 2, query_columns, query_first, query_step) }}
{{ kv.reader("buffer", 3) }}
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
{% if trace %}
@group(0) @binding(5) var<storage, read_write> activations: array<f32>;
{% endif %}

var<workgroup> q: array<vec4f, QUERIES * STRIDE>;
var<workgroup> k: array<vec4f, KEYS * STRIDE>;
var<workgroup> v: array<vec4f, KEYS * STRIDE>;
var<workgroup> exps: array<vec4f, QUERIES * MATES>;    // of the keys of each mate: exp(score - highest)
var<workgroup> shared_max: array<f32, QUERIES * MATES>; // of the scores of each mate
var<workgroup> shared_sum: array<f32, QUERIES * MATES>;

{{ s.declare(scale, cap) }}
// The first context row that `row` attends to.
fn first_seen(row: u32) -> u32 {
{% if window %}
    return max(sequence_start(row), max(row + 1u, {{ window }}u) - {{ window }}u);
{% else %}
    return sequence_start(row);
{% endif %}
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    if (state.done != 0u) { return; }
    let head = group.x;
    let r0 = group.y * QUERIES;
    if (r0 >= state.rows) { return; }
    let query = thread / MATES;
    let mate = thread % MATES;
    let r = r0 + query;
    let row = state.first_row + r;
    for (var i = thread; i < QUERIES * HEAD_QUADS; i += THREADS) {
        // Rows past the end of the chunk are computed too, but not stored.
        let source = min(r0 + i / HEAD_QUADS, state.rows - 1u);
        q[i / HEAD_QUADS * STRIDE + i % HEAD_QUADS] = query_of(source, head, i % HEAD_QUADS);
    }
{% set mine = (head_size // 4 + 7) // 8 %}
{% for i in range(mine) %}
    var sum{{ i }} = vec4f(0.0);
{% endfor %}
    var highest = -3.4e38;
    var total = 0.0; // of this thread's keys
    let last_row = state.first_row + min(r0 + QUERIES, state.rows) - 1u;
    let start = first_seen(row);
    let shared_head = head / GROUP * HEAD_QUADS;
    let first_key = first_seen(state.first_row + r0);
    // Load the keys and values of the next tile while those of this one are used.
{% set loads = (32 * head_size // 4 + 127) // 128 %}
{% macro load(first) %}
{% for i in range(loads) %}
    next_k{{ i }} = cached(min({{ first }} + (thread + {{ 128 * i }}u) % KEYS, CONTEXT - 1u), shared_head + min((thread + {{ 128 * i }}u) / KEYS, HEAD_QUADS - 1u));
    next_v{{ i }} = cached(min({{ first }} + (thread + {{ 128 * i }}u) / HEAD_QUADS, CONTEXT - 1u), KV_QUADS + shared_head + (thread + {{ 128 * i }}u) % HEAD_QUADS);
{% endfor %}
{% endmacro %}
{% for i in range(loads) %}
    var next_k{{ i }}: vec4f;
    var next_v{{ i }}: vec4f;
{% endfor %}
    {{ load("first_key") }}
    for (var first = first_key; first <= last_row; first += KEYS) {
        workgroupBarrier();
{% for i in range(loads) %}
        {
            let i = thread + {{ 128 * i }}u;
            // Neighboring threads load neighboring keys, as they are stored in the cache.
            if (i < KEYS * HEAD_QUADS) {
                k[i % KEYS * STRIDE + i / KEYS] = next_k{{ i }};
                v[i / HEAD_QUADS * STRIDE + i % HEAD_QUADS] = next_v{{ i }};
            }
        }
{% endfor %}
        workgroupBarrier();
        {{ load("first + KEYS") }}
        var scores = vec4f(0.0);
        for (var quad = 0u; quad < HEAD_QUADS; quad++) {
            let x = q[query * STRIDE + quad];
            scores += vec4f(
                dot(x, k[mate * STRIDE + quad]),
                dot(x, k[(mate + MATES) * STRIDE + quad]),
                dot(x, k[(mate + 2u * MATES) * STRIDE + quad]),
                dot(x, k[(mate + 3u * MATES) * STRIDE + quad]),
            );
        }
        // Keys that the row may not attend to do not count. Their rows of the cache may contain stale values, even NaN.
        let keys = vec4u(first + mate) + vec4u(0u, MATES, 2u * MATES, 3u * MATES);
        let seen = (keys >= vec4u(start)) & (keys <= vec4u(row));
        scores = vec4f(score_of(scores.x), score_of(scores.y), score_of(scores.z), score_of(scores.w));
        scores = select(vec4f(-3.4e38), scores, seen);
        shared_max[thread] = max(max(scores.x, scores.y), max(scores.z, scores.w));
        workgroupBarrier();
        let before = highest;
        for (var i = 0u; i < MATES; i++) { highest = max(highest, shared_max[query * MATES + i]); }
        let weights = select(vec4f(0.0), exp(scores - vec4f(highest)), seen);
        exps[thread] = weights;
        let shrink = exp(before - highest);
        total = total * shrink + dot(weights, vec4f(1.0));
{% for i in range(mine) %}
        sum{{ i }} *= shrink;
{% endfor %}
        workgroupBarrier();
        // Without the keys that do not count: 0 times NaN is NaN.
        let until = min(KEYS, max(row + 1u, first) - first);
        let unseen = max(start, first) - first;
        for (var j = 0u; j < MATES; j++) {
            let shares = exps[query * MATES + j];
{% for part in range(4) %}
            let key{{ part }} = j + {{ part }}u * MATES;
            if (key{{ part }} >= unseen && key{{ part }} < until) {
{% for i in range(mine) %}
                sum{{ i }} += shares[{{ part }}] * v[key{{ part }} * STRIDE + min(mate + {{ i }}u * MATES, HEAD_QUADS - 1u)];
{% endfor %}
            }
{% endfor %}
        }
    }
    shared_sum[thread] = total;
    workgroupBarrier();
    var whole = 0.0;
    for (var i = 0u; i < MATES; i++) { whole += shared_sum[query * MATES + i]; }
    if (r < state.rows) {
{% for i in range(mine) %}
        store(r, row, head, mate + {{ i }}u * MATES, sum{{ i }} / whole);
{% endfor %}
    }
}

fn store(r: u32, row: u32, head: u32, quad: u32, value: vec4f) {
    if (quad >= HEAD_QUADS) { return; }
    let at = head * HEAD_QUADS + quad;
    y[r * COLUMNS / 4u + at] = value;
{% if trace %}
    let kept = params.offset + row * COLUMNS + at * 4u;
    for (var i = 0u; i < 4u; i++) { activations[kept + i] = value[i]; }
{% endif %}
}

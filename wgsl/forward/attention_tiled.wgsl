// Attention for many rows: a workgroup computes QUERIES rows of one head. It loops over tiles of keys in shared memory,
// with the running maximum and sum of an online softmax. Grid: (heads, tiles of rows).
{% import "common/kv_cache.wgsl" as kv %}
{% import "common/heads.wgsl" as h %}
{% import "common/score.wgsl" as s %}
{% include "common/state.wgsl" %}
{% include "forward/common/sequence.wgsl" %}
const COLUMNS = {{ heads * head_size }}u;
const KV_QUADS = {{ kv_heads * head_size // 4 }}u;
const HEAD_QUADS = {{ head_size // 4 }}u;
const GROUP = {{ heads // kv_heads }}u; // heads that share a key-value head
const CONTEXT = {{ context }}u;
const QUERIES = 16u;
const KEYS = 32u;
const THREADS = 128u;
const MATES = THREADS / QUERIES; // threads per query
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

var<workgroup> q: array<vec4f, QUERIES * HEAD_QUADS>;
var<workgroup> k: array<vec4f, KEYS * HEAD_QUADS>;
var<workgroup> v: array<vec4f, KEYS * HEAD_QUADS>;
var<workgroup> scores: array<f32, QUERIES * KEYS>;

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
        q[i] = query_of(source, head, i % HEAD_QUADS);
    }
{% set mine = (head_size // 4 + 7) // 8 %}
{% for i in range(mine) %}
    var sum{{ i }} = vec4f(0.0);
{% endfor %}
    var highest = -3.4e38;
    var total = 0.0;
    let last_row = state.first_row + min(r0 + QUERIES, state.rows) - 1u;
    let start = first_seen(row);
    let shared_head = head / GROUP * HEAD_QUADS;
    for (var first = first_seen(state.first_row + r0); first <= last_row; first += KEYS) {
        workgroupBarrier();
        for (var i = thread; i < KEYS * HEAD_QUADS; i += THREADS) {
            // Neighboring threads load neighboring keys, as they are stored in the cache.
            let t = min(first + i % KEYS, CONTEXT - 1u);
            k[i % KEYS * HEAD_QUADS + i / KEYS] = cached(t, shared_head + i / KEYS);
            let u = min(first + i / HEAD_QUADS, CONTEXT - 1u);
            v[i] = cached(u, KV_QUADS + shared_head + i % HEAD_QUADS);
        }
        workgroupBarrier();
        // Keys of this tile that the row may attend to, `unseen` to `seen`. Later rows of the cache may contain stale
        // values, even NaN.
        let seen = min(KEYS, max(row + 1u, first) - first);
        let unseen = max(start, first) - first;
        for (var j = unseen + mate; j < seen; j += MATES) {
            var score = 0.0;
            for (var quad = 0u; quad < HEAD_QUADS; quad++) {
                score += dot(q[query * HEAD_QUADS + quad], k[j * HEAD_QUADS + quad]);
            }
            scores[query * KEYS + j] = score_of(score);
        }
        workgroupBarrier();
        var tile_highest = highest;
        for (var j = unseen; j < seen; j++) { tile_highest = max(tile_highest, scores[query * KEYS + j]); }
        let shrink = exp(highest - tile_highest);
        highest = tile_highest;
        total *= shrink;
{% for i in range(mine) %}
        sum{{ i }} *= shrink;
{% endfor %}
        for (var j = unseen; j < seen; j++) {
            let e = exp(scores[query * KEYS + j] - highest);
            total += e;
{% for i in range(mine) %}
            sum{{ i }} += e * v[j * HEAD_QUADS + min(mate + {{ i }}u * MATES, HEAD_QUADS - 1u)];
{% endfor %}
        }
    }
    if (r < state.rows) {
{% for i in range(mine) %}
        store(r, row, head, mate + {{ i }}u * MATES, sum{{ i }} / total);
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

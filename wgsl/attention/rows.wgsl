// For one row of each head of one layer: its attention weights, of which the head's tile keeps the largest of each
// block of `pool` x `pool`, and what the statistics of the head need. One workgroup per (head, row).
// scores, pattern: whether attention edited these; the weights are those that it used.
{% import "common/edits.wgsl" as e %}
{% import "common/edited_attention.wgsl" as a %}
const CONTEXT = {{ context }}u; // rows of the longest context
const TILE = {{ tile }}u;
const THREADS = 64u;
struct Params {
    first_row: u32,
    pool: u32,
    padding0: u32,
    padding1: u32,
}
{% include "common/state.wgsl" %}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> state: State;
@group(0) @binding(2) var<uniform> layer: vec4u; // x: index of the layer's first head among all heads; y, z: points of edits
@group(0) @binding(4) var<storage, read> history: array<u32>;
@group(0) @binding(5) var<storage, read_write> tiles: array<atomic<u32>>; // [heads, TILE, TILE], bits of weights
@group(0) @binding(6) var<storage, read_write> rows: array<vec4f>; // [heads, context, 2], see totals.wgsl

var<workgroup> scores: array<f32, CONTEXT>;
var<workgroup> partial: array<f32, THREADS>;
var<workgroup> distances: array<f32, THREADS>;
var<workgroup> copied: atomic<u32>; // 1 + the key after the latest earlier occurrence of the row's token; 0: none

{% if scores or pattern %}
{{ e.declare(7, 8) }}
{{ a.edited_pattern(scores, pattern, "layer.y", "layer.z") }}
{% else %}
{% include "common/softmax.wgsl" %}
{% endif %}
{% set query_binding, key_binding = 3, 9 %}
{% include "attention/common/query.wgsl" %}
const UNSEEN = -3.4e38; // the score of a key before the window

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let head = group.x;
    let row = params.first_row + group.y;
    let keys = row + 1u;
    let first_seen = max(keys, WINDOW) - WINDOW;
    if (thread == 0u) { atomicStore(&copied, 0u); }
    load_query(row, head, thread);

    let token = history[state.context_start + row];
    var highest = -3.4e38;
{% if scores or pattern %}
    let first_key = edits[0] + state.context_start;
{% endif %}
    for (var t = thread; t < keys; t += THREADS) {
{% if scores or pattern %}
        var score = edited_score(first_key + row, head, first_key + t, key_score(t, head), false);
{% else %}
        var score = key_score(t, head);
{% endif %}
        if (t < first_seen) { score = UNSEEN; }
        scores[t] = score;
        highest = max(highest, score);
        if (t + 1u < row && history[state.context_start + t] == token) { atomicMax(&copied, t + 2u); }
    }
{% if scores or pattern %}
    make_pattern(first_key + row, head, first_key, keys, thread, highest, false);
    let inverse = 1.0;
{% else %}
    let inverse = softmax(keys, thread, highest);
{% endif %}

    var entropy = 0.0;
    var distance = 0.0;
    for (var t = thread; t < keys; t += THREADS) {
        let weight = select(scores[t] * inverse, 0.0, t < first_seen);
        scores[t] = weight;
        if (weight > 0.0) { entropy -= weight * log2(weight); }
        distance += weight * f32(row - t);
    }
    partial[thread] = entropy;
    distances[thread] = distance;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            partial[thread] += partial[thread + half];
            distances[thread] += distances[thread + half];
        }
    }
    workgroupBarrier();

    let all = layer.x + head;
    let start = (all * TILE + row / params.pool) * TILE;
    if (params.pool == 1u) {
        for (var t = thread; t < TILE; t += THREADS) {
            atomicStore(&tiles[start + t], select(0u, bitcast<u32>(scores[min(t, row)]), t < keys));
        }
    } else {
        for (var block = thread; block * params.pool < keys; block += THREADS) {
            var most = 0u; // the bits of positive floats sort like the floats, those of NaN as the largest
            for (var t = block * params.pool; t < min((block + 1u) * params.pool, keys); t++) {
                most = max(most, bitcast<u32>(scores[t]) & 0x7fffffffu);
            }
            atomicMax(&tiles[start + block], most);
        }
    }
    if (thread == 0u) {
        let place = 2u * (all * CONTEXT + row);
        let found = atomicLoad(&copied);
        rows[place] = vec4f(partial[0], distances[0], scores[max(row, 1u) - 1u], scores[0]);
        rows[place + 1u] = vec4f(select(0.0, scores[max(found, 1u) - 1u], found > 0u), select(0.0, 1.0, found > 0u), 0.0, 0.0);
    }
}

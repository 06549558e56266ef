// The attention of one query over its keys, step by step. From `to` on, the results are the scores, exp(score - largest),
// and pattern, `keys` values each, then the largest score and the sum of the exponentials. One workgroup.
const THREADS = 64u;
{% import "common/score.wgsl" as s %}
struct Params {
    query: u32,       // index of the query's first value
    key: u32,         // index of the first value of the first key
    key_columns: u32, // from a key to the next
    keys: u32,
    head_size: u32,
    to: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(3) var<storage, read> all_keys: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<f32>;
{{ s.declare(scale, cap) }}

var<workgroup> partial: array<f32, THREADS>;

{% include "common/workgroup.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
    let exponentials = params.to + params.keys;
    let pattern = exponentials + params.keys;
    // Each thread reads only the results that it has written itself.
    var highest = -3.4e38;
    for (var t = thread; t < params.keys; t += THREADS) {
        let key = params.key + t * params.key_columns;
        var score = 0.0;
        for (var i = 0u; i < params.head_size; i++) { score += queries[params.query + i] * all_keys[key + i]; }
        score = score_of(score);
        results[params.to + t] = score;
        highest = max(highest, score);
    }
    let largest = largest_of_workgroup(highest, thread);
    var total = 0.0;
    for (var t = thread; t < params.keys; t += THREADS) {
        let e = exp(results[params.to + t] - largest);
        results[exponentials + t] = e;
        total += e;
    }
    let sum = sum_over_workgroup(total, thread);
    for (var t = thread; t < params.keys; t += THREADS) { results[pattern + t] = results[exponentials + t] / sum; }
    if (thread == 0u) {
        results[pattern + params.keys] = largest;
        results[pattern + params.keys + 1u] = sum;
    }
}

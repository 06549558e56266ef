{# Attention weights with edits of scores before and of the pattern after the softmax. Needs `scores` and `partial` of the
   workgroup, THREADS, and the macros of common/edits.wgsl.
   scores, pattern: whether there are such edits; scores_point, pattern_point: expressions of their points. #}
{% macro edited_pattern(scores, pattern, scores_point="params.scores_point", pattern_point="params.pattern_point") %}
{% include "common/workgroup.wgsl" %}
const NO_SCORE = -3.4e38; // stands for -inf, with which WGSL promises no arithmetic

// A score after its edits. position: of the query in the text; key: of the key.
fn edited_score(position: u32, head: u32, key: u32, value: f32, counted: bool) -> f32 {
{% if scores %}
    let after = edited_at({{ scores_point }}, position, head, key, value, counted);
    return select(after, NO_SCORE, bitcast<u32>(after) == MINUS_INFINITY);
{% else %}
    return value;
{% endif %}
}

// Replaces the first `keys` scores with the weights after their edits. `mine` is the largest score of this thread;
// first_key: the position of key 0. A row without a score becomes 0. All threads must call it.
fn make_pattern(position: u32, head: u32, first_key: u32, keys: u32, thread: u32, mine: f32, counted: bool) {
    let highest = largest_of_workgroup(mine, thread);
    let empty = highest <= NO_SCORE;
    var total = 0.0;
    for (var t = thread; t < keys; t += THREADS) {
        var e = exp(scores[t] - highest);
        if (scores[t] <= NO_SCORE) { e = 0.0; }
        scores[t] = e;
        total += e;
    }
    var inverse = 1.0 / sum_over_workgroup(total, thread);
    if (empty) { inverse = 0.0; }
    if (empty && counted && thread == 0u) { atomicAdd(&counts[0], 1u); }
    for (var t = thread; t < keys; t += THREADS) {
        let weight = scores[t] * inverse;
{% if pattern %}
        scores[t] = edited_at({{ pattern_point }}, position, head, first_key + t, weight, counted);
{% else %}
        scores[t] = weight;
{% endif %}
    }
    workgroupBarrier();
}
{% endmacro %}

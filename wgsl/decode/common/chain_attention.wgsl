// Attention of decode/layer, unnormalized: one workgroup per (head, span of keys). The projection merges the spans.
// Loops over registers are unrolled, since an array indexed by a loop counter may be placed in memory.
{% set quads = head_size // 4 %}
{% set key_parts = [1, threads // span] | max %}
{% set key_quads = (quads + key_parts - 1) // key_parts %}
{% set value_parts = [1, threads // quads] | max %}
{% set value_keys = (span + value_parts - 1) // value_parts %}
{% set lane_keys = (span + lanes - 1) // lanes %}
const SCALE = {{ scale }};
var<workgroup> part_scores: array<f32, {{ key_parts * span }}>;
var<workgroup> exps: array<f32, SPAN>;
var<workgroup> part_values: array<vec4f, {{ value_parts }}u * HEAD_QUADS>;
var<workgroup> mixture: array<vec4f, CHANNEL_QUADS>;

fn attention(head: u32, span: u32, keys: u32, thread: u32, team: u32, lane: u32) {
    let start = span * SPAN;
    if (start >= keys) { return; }
    let last = keys - 1u;
    // The cache is read before the wait, except for the row of this token, which comes from `fresh`.
    let value_quad = thread % HEAD_QUADS;
    let value_part = thread / HEAD_QUADS;
    let values = CHANNEL_QUADS * CONTEXT + head * CONTEXT * HEAD_QUADS + value_quad;
    let value_start = start + value_part * {{ value_keys }}u;
{% for i in range(value_keys) %}
    var value{{ i }} = cache[values + min(value_start + {{ i }}u, last) * HEAD_QUADS];
{% endfor %}
    let key = thread % SPAN;
    let key_part = thread / SPAN;
    let t = min(start + key, last);
    let key_quad = head * HEAD_QUADS + key_part * {{ key_quads }}u;
{% for i in range(key_quads) %}
    var key{{ i }} = cache[min(key_quad + {{ i }}u, CHANNEL_QUADS - 1u) * CONTEXT + t];
{% endfor %}
    await_stage(0u, QKV_GROUPS, thread);
    if (t == last) {
{% for i in range(key_quads) %}
        key{{ i }} = fresh[CHANNEL_QUADS + min(key_quad + {{ i }}u, CHANNEL_QUADS - 1u)];
{% endfor %}
    }
    let newest = fresh[2u * CHANNEL_QUADS + head * HEAD_QUADS + value_quad];
    var score = 0.0;
{% for i in range(key_quads) %}
{% if key_parts * key_quads > quads %}
    if (key_part * {{ key_quads }}u + {{ i }}u < HEAD_QUADS) {
        score += dot(fresh[key_quad + {{ i }}u], key{{ i }});
    }
{% else %}
    score += dot(fresh[key_quad + {{ i }}u], key{{ i }});
{% endif %}
{% endfor %}
    part_scores[key_part * SPAN + key] = score * SCALE;
    workgroupBarrier();
    var highest = -3.4e38;
{% for i in range(lane_keys) %}
    let k{{ i }} = min(lane + {{ i * lanes }}u, SPAN - 1u);
    let inside{{ i }} = lane + {{ i * lanes }}u < SPAN && start + k{{ i }} < keys;
    var score{{ i }} = part_scores[k{{ i }}];
{% for part in range(1, key_parts) %}
    score{{ i }} += part_scores[{{ part }}u * SPAN + k{{ i }}];
{% endfor %}
    highest = max(highest, select(-3.4e38, score{{ i }}, inside{{ i }}));
{% endfor %}
    highest = subgroupMax(highest);
    var total = 0.0;
{% for i in range(lane_keys) %}
    let e{{ i }} = select(0.0, exp(score{{ i }} - highest), inside{{ i }});
    total += e{{ i }};
    if (team == 0u && lane + {{ i * lanes }}u < SPAN) { exps[k{{ i }}] = e{{ i }}; }
{% endfor %}
    total = subgroupAdd(total);
    workgroupBarrier();
    var sum = vec4f(0.0);
    if (value_part < {{ value_parts }}u) {
{% for i in range(value_keys) %}
        if (value_start + {{ i }}u < min(start + SPAN, keys)) {
            sum += exps[value_start + {{ i }}u - start] * select(value{{ i }}, newest, value_start + {{ i }}u == last);
        }
{% endfor %}
        part_values[value_part * HEAD_QUADS + value_quad] = sum;
    }
    workgroupBarrier();
    if (thread < HEAD_QUADS) {
{% for part in range(1, value_parts) %}
        sum += part_values[{{ part }}u * HEAD_QUADS + thread];
{% endfor %}
        mixed[span * CHANNEL_QUADS + head * HEAD_QUADS + thread] = sum;
    }
    if (thread == 0u) { shares[span * HEADS + head] = vec2f(highest, total); }
}

{% include "decode/common/merged.wgsl" %}

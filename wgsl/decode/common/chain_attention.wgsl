{# Attention of decode/layers, unnormalized: one workgroup per (head, span of keys).
   Loops over registers are unrolled, since an array indexed by a loop counter may be placed in memory. #}
fn attention(block: u32, head: u32, span: u32, keys: u32, thread: u32, team: u32, lane: u32) {
    let start = span * SPAN;
    let last = keys - 1u;
    // The cache is read before the wait, except for the row of this token, which is handed on.
    let value_quad = thread % HEAD_QUADS;
    let value_part = thread / HEAD_QUADS;
    let values = CHANNEL_QUADS * CONTEXT + head * CONTEXT * HEAD_QUADS + value_quad;
    let value_start = start + value_part * {{ value_keys }}u;
    let key = thread % SPAN;
    let key_part = thread / SPAN;
    let t = min(start + key, last);
    let key_quad = key_part * {{ key_quads }}u; // of the head
{% for i in range(value_keys) %}
    var value{{ i }}: vec4f;
{% endfor %}
{% for i in range(key_quads) %}
    var key{{ i }}: vec4f;
{% endfor %}
{% set loads %}
{% for i in range(value_keys) %}
    value{{ i }} = cache_@[values + min(value_start + {{ i }}u, last) * HEAD_QUADS];
{% endfor %}
{% for i in range(key_quads) %}
    key{{ i }} = cache_@[min(head * HEAD_QUADS + key_quad + {{ i }}u, CHANNEL_QUADS - 1u) * CONTEXT + t];
{% endfor %}
{% endset %}
{{ c.of_block(blocks, loads) }}
    let base = params.blocks[block].part * PART;
    let tag = params.blocks[block].tag;
{% set steps = (3 * head_size + threads - 1) // threads %}
{% set ns = namespace(places=[]) %}
{% for n in range(steps) %}
    let j{{ n }} = min(thread + {{ n * threads }}u, 3u * HEAD_SIZE - 1u);
{% set ns.places = ns.places + ["base + FRESH + j" ~ n ~ " / HEAD_SIZE * CHANNELS + head * HEAD_SIZE + j" ~ n ~ " % HEAD_SIZE"] %}
{% endfor %}
{{ t.take("word", ns.places, "tag") }}
{% for n in range(steps) %}
    x[j{{ n }} / 4u][j{{ n }} % 4u] = untagged(word{{ n }});
{% endfor %}
    workgroupBarrier();
    let newest = x[2u * HEAD_QUADS + value_quad];
    var score = 0.0;
{% for i in range(key_quads) %}
    let quad{{ i }} = min(key_quad + {{ i }}u, HEAD_QUADS - 1u);
    let partial{{ i }} = dot(x[quad{{ i }}], select(key{{ i }}, x[HEAD_QUADS + quad{{ i }}], t == last));
    score += {{ "select(0.0, partial" ~ i ~ ", key_quad + " ~ i ~ "u < HEAD_QUADS)" if key_parts * key_quads > head_size // 4 else "partial" ~ i }};
{% endfor %}
    part_scores[thread] = score * SCALE;
    workgroupBarrier();
    var highest = -3.4e38;
{% for i in range(lane_keys) %}
    let k{{ i }} = min(lane + {{ i * lanes }}u, SPAN - 1u);
    let inside{{ i }} = lane + {{ i * lanes }}u < SPAN && start + k{{ i }} < keys;
    var score{{ i }} = part_scores[k{{ i }}];
{% for other in range(1, key_parts) %}
    score{{ i }} += part_scores[{{ other }}u * SPAN + k{{ i }}];
{% endfor %}
    highest = max(highest, select(-3.4e38, score{{ i }}, inside{{ i }}));
{% endfor %}
    highest = rounded(subgroupMax(highest)); // as it is handed on, so that the sums are relative to exactly that
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
    if (thread < HEAD_SIZE) {
        var value = part_values[thread / 4u][thread % 4u];
{% for other in range(1, value_parts) %}
        value += part_values[{{ other }}u * HEAD_QUADS + thread / 4u][thread % 4u];
{% endfor %}
        hand_on(base + MIXED + span * CHANNELS + head * HEAD_SIZE + thread, rounded(value), tag);
    }
    if (thread == 0u) {
        let share = base + SHARES + 2u * (span * HEADS + head);
        hand_on(share, highest, tag);
        hand_on(share + 1u, rounded(total), tag);
    }
}

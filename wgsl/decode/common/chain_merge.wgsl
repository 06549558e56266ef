{# Attention's output from all spans of keys, into x. The first spans are taken together with the shares of all. #}
{% set steps = (channels + threads - 1) // threads %}
{% set pairs = (spans * heads + threads - 1) // threads %}
    let spans = row / SPAN + 1u;
{% set ns = namespace(places=[]) %}
{% for n in range(pairs) %}
    let pair{{ n }} = min(thread + {{ n * threads }}u, spans * HEADS - 1u);
{% set ns.places = ns.places + ["base + SHARES + 2u * pair" ~ n, "base + SHARES + 2u * pair" ~ n ~ " + 1u"] %}
{% endfor %}
{% for s in range(early_spans) %}
    let span{{ s }} = base + MIXED + min({{ s }}u, spans - 1u) * CHANNELS;
{% for n in range(steps) %}
{% set ns.places = ns.places + ["span" ~ s ~ " + i" ~ n] %}
{% endfor %}
{% endfor %}
{{ t.take("word", ns.places, "tag") }}
{% for n in range(pairs) %}
    span_shares[pair{{ n }}] = vec2f(untagged(word{{ 2 * n }}), untagged(word{{ 2 * n + 1 }}));
{% endfor %}
    workgroupBarrier();
{% for n in range(pairs) %}
    {
        let of_head = pair{{ n }} % HEADS;
        var highest = -3.4e38;
        for (var s = 0u; s < spans; s++) { highest = max(highest, span_shares[s * HEADS + of_head].x); }
        var total = 0.0;
        for (var s = 0u; s < spans; s++) {
            let share = span_shares[s * HEADS + of_head];
            total += exp(share.x - highest) * share.y;
        }
        span_factors[pair{{ n }}] = exp(span_shares[pair{{ n }}].x - highest) / total;
    }
{% endfor %}
    workgroupBarrier();
{% for n in range(steps) %}
    let head{{ n }} = i{{ n }} / HEAD_SIZE;
    var sum{{ n }} = span_factors[head{{ n }}] * untagged(word{{ 2 * pairs + n }});
{% for s in range(1, early_spans) %}
    if ({{ s }}u < spans) { sum{{ n }} += span_factors[{{ s }}u * HEADS + head{{ n }}] * untagged(word{{ 2 * pairs + s * steps + n }}); }
{% endfor %}
{% endfor %}
{% if spans > early_spans %}
    for (var s = {{ early_spans }}u; s < spans; s++) {
        let row_of_span = base + MIXED + s * CHANNELS;
{% set ns.places = [] %}
{% for n in range(steps) %}
{% set ns.places = ns.places + ["row_of_span + i" ~ n] %}
{% endfor %}
{{ t.take("later", ns.places, "tag") }}
{% for n in range(steps) %}
        sum{{ n }} += span_factors[s * HEADS + head{{ n }}] * untagged(later{{ n }});
{% endfor %}
    }
{% endif %}
{% for n in range(steps) %}
{{ c.put(n, "sum" ~ n, dtype, channels, threads) }}
{% endfor %}
{% if trace %}
    if (at == 0u) {
{% for n in range(steps) %}
        keep(block, params.blocks[block].mixed_offset + row * CHANNELS + i{{ n }}, sum{{ n }});
{% endfor %}
    }
{% endif %}
    workgroupBarrier();

// One quad of the attention output, from all spans of keys, in groups of eight so that their loads overlap. Needs `mixed`
// [spans, CHANNEL_QUADS], unnormalized, `shares` [spans, HEADS], the largest score and the sum of exponentials, and
// HEAD_QUADS.
fn merged(quad: u32, spans: u32) -> vec4f {
    let head = quad / HEAD_QUADS;
    var highest = -3.4e38;
    var total = 0.0;
    var sum = vec4f(0.0);
    for (var first = 0u; first < spans; first += 8u) {
{% for i in range(8) %}
        let s{{ i }} = min(first + {{ i }}u, spans - 1u);
        let share{{ i }} = shares[s{{ i }} * HEADS + head];
        let value{{ i }} = mixed[s{{ i }} * CHANNEL_QUADS + quad];
{% endfor %}
        var top = highest;
{% for i in range(8) %}
        top = max(top, share{{ i }}.x);
{% endfor %}
        let shrink = exp(highest - top);
        total *= shrink;
        sum *= shrink;
{% for i in range(8) %}
        let weight{{ i }} = select(0.0, exp(share{{ i }}.x - top), first + {{ i }}u < spans);
        total += weight{{ i }} * share{{ i }}.y;
        sum += weight{{ i }} * value{{ i }};
{% endfor %}
        highest = top;
    }
    return sum / total;
}

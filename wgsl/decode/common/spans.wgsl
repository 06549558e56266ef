{# How the keys that one token sees are divided into spans: at most MOST_SPANS of them, of whole blocks of BLOCK keys.
   window: as in common/attention of the description, 0 for all keys. #}
{% macro declare(block, most, window) %}
const BLOCK = {{ block }}u;
const MOST_SPANS = {{ most }}u;
struct Spans {
    start: u32, // the first key
    end: u32,   // after the last
    length: u32, // keys of a span, a multiple of BLOCK
    count: u32,
}
fn spans_of(last: u32) -> Spans {
    let end = last + 1u;
{% if window %}
    let start = max(end, {{ window }}u) - {{ window }}u;
{% else %}
    let start = 0u;
{% endif %}
    let blocks = (end - start + BLOCK - 1u) / BLOCK;
    let of_span = (blocks + MOST_SPANS - 1u) / MOST_SPANS;
    return Spans(start, end, of_span * BLOCK, (blocks + of_span - 1u) / of_span);
}
{% endmacro %}

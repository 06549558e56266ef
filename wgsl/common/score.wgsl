{# What attention makes of query times key: `scale` times it, then the soft cap `cap`, if that is not 0. #}
{% macro declare(scale, cap) %}
{% if cap %}
{% include "common/soft_cap.wgsl" %}
fn score_of(product: f32) -> f32 { return soft_cap(product * {{ scale }}, f32({{ cap }})); }
{% else %}
fn score_of(product: f32) -> f32 { return product * {{ scale }}; }
{% endif %}
{% endmacro %}

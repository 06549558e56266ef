{# Distances of values from a center; see map/center.wgsl. Needs common/numbers.wgsl. #}
{% macro distance() %}
// The distance of a finite value, which is finite, too; other values are kept.
fn distance_from(center: f32, value: f32) -> f32 {
    if (!is_finite(value)) { return value; }
    return clamp(value - center, -3.4028234e38, 3.4028234e38);
}
{% endmacro %}
{# `relative(value)` is the distance from the center at this binding or, with `centered` false, the value itself. #}
{% macro declare(centered, binding) %}
{% if centered %}
{{ distance() }}
@group(0) @binding({{ binding }}) var<uniform> center: vec4f; // the first component is used
fn relative(value: f32) -> f32 { return distance_from(center.x, value); }
{% else %}
fn relative(value: f32) -> f32 { return value; }
{% endif %}
{% endmacro %}

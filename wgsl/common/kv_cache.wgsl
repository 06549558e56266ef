{# The key-value cache of one layer: float32, in vectors of 4 channels. Channel quad q of the key of position row t, and
   CHANNEL_QUADS further its value. Values: storage "texture" (x = t, y = quad) or "buffer" (t outermost). #}
{% macro reader(storage, binding) %}
{% if storage == "texture" %}
@group(0) @binding({{ binding }}) var cache: texture_2d<f32>;
fn cached(t: u32, quad: u32) -> vec4f { return textureLoad(cache, vec2u(t, quad), 0); }
{% else %}
@group(0) @binding({{ binding }}) var<storage, read> cache: array<vec4f>;
fn cached(t: u32, quad: u32) -> vec4f { return cache[t * 2u * CHANNEL_QUADS + quad]; }
{% endif %}
{% endmacro %}
{% macro writer(storage, binding) %}
{% if storage == "texture" %}
@group(0) @binding({{ binding }}) var cache: texture_storage_2d<rgba32float, write>;
fn keep(t: u32, quad: u32, value: vec4f) { textureStore(cache, vec2u(t, quad), value); }
{% else %}
@group(0) @binding({{ binding }}) var<storage, read_write> cache: array<vec4f>;
fn keep(t: u32, quad: u32, value: vec4f) { cache[t * 2u * CHANNEL_QUADS + quad] = value; }
{% endif %}
{% endmacro %}

{# The key-value cache of one layer: float32, in vectors of 4 channels (quads) of all key-value heads. For context row
   t, quads 0 to KV_QUADS - 1 are its key, the following ones its value. `storage` is "texture" (x = t, y = quad; "image": read as a
   storage texture) or "buffer": first the keys, quads outermost, so that threads on neighboring keys read neighboring words; then the values, heads
   outermost, then rows. Needs KV_QUADS, HEAD_QUADS and CONTEXT. #}
{% macro buffer_index() %}
fn cache_index(t: u32, quad: u32) -> u32 {
    if (quad < KV_QUADS) { return quad * CONTEXT + t; }
    let q = quad - KV_QUADS;
    return KV_QUADS * CONTEXT + (q / HEAD_QUADS * CONTEXT + t) * HEAD_QUADS + q % HEAD_QUADS;
}
{% endmacro %}
{% macro reader(storage, binding) %}
{% if storage == "texture" %}
@group(0) @binding({{ binding }}) var cache: texture_2d<f32>;
fn cached(t: u32, quad: u32) -> vec4f { return textureLoad(cache, vec2u(t, quad), 0); }
{% elif storage == "image" %}
@group(0) @binding({{ binding }}) var cache: texture_storage_2d<rgba32float, read>;
fn cached(t: u32, quad: u32) -> vec4f { return textureLoad(cache, vec2u(t, quad)); }
{% else %}
@group(0) @binding({{ binding }}) var<storage, read> cache: array<vec4f>;
{{ buffer_index() }}
fn cached(t: u32, quad: u32) -> vec4f { return cache[cache_index(t, quad)]; }
{% endif %}
{% endmacro %}
{% macro writer(storage, binding) %}
{% if storage == "texture" %}
@group(0) @binding({{ binding }}) var cache: texture_storage_2d<rgba32float, write>;
fn keep(t: u32, quad: u32, value: vec4f) { textureStore(cache, vec2u(t, quad), value); }
{% else %}
@group(0) @binding({{ binding }}) var<storage, read_write> cache: array<vec4f>;
{{ buffer_index() }}
fn keep(t: u32, quad: u32, value: vec4f) { cache[cache_index(t, quad)] = value; }
{% endif %}
{% endmacro %}
{# Writes single values, to a buffer; channel: of all keys, then of all values. #}
{% macro channel_writer(binding) %}
@group(0) @binding({{ binding }}) var<storage, read_write> cache: array<f32>;
{{ buffer_index() }}
fn keep_channel(t: u32, channel: u32, value: f32) { cache[cache_index(t, channel / 4u) * 4u + channel % 4u] = value; }
{% endmacro %}

// What a matrix product does with each result. epilogue "none" stores it, "residual" adds it to y, which is the residual
// stream, "gelu" and "relu" store that function of it. When traced, product and result are kept in the activation buffer.
// stored: which of "key" and "value" are among the outputs and go to the key-value cache of their attention, with heads
// of `head_size` columns, the first from column NAME_first on, the others NAME_step columns apart.
// Uses OUTPUTS, y and state of the shader, and activations and params when traced.
{% if epilogue not in ("none", "residual") %}
{% include "common/" ~ epilogue ~ ".wgsl" %}
{% endif %}
{% if stored %}
{% import "common/kv_cache.wgsl" as kv %}
const KV_QUADS = {{ kv_heads * head_size // 4 }}u;
const HEAD_QUADS = {{ head_size // 4 }}u;
const CONTEXT = {{ context }}u;
{{ kv.channel_writer(9) }}
// Store a result that belongs to a key or a value.
fn store_head(t: u32, out: u32, after: f32) {
{% for name, first, step, cached in (("key", key_first, key_step, 0), ("value", value_first, value_step, kv_heads * head_size)) if name in stored %}
    if (out >= {{ first }}u && (out - {{ first }}u) / {{ step }}u < {{ kv_heads }}u && (out - {{ first }}u) % {{ step }}u < {{ head_size }}u) {
        keep_channel(t, {{ cached }}u + (out - {{ first }}u) / {{ step }}u * {{ head_size }}u + (out - {{ first }}u) % {{ step }}u, after);
    }
{% endfor %}
}
{% endif %}
fn store(r: u32, out: u32, product: f32) {
{% if epilogue == "residual" %}
    store_after(r, out, product, y[r * OUTPUTS + out] + product);
{% elif epilogue == "none" %}
    store_after(r, out, product, product);
{% else %}
    store_after(r, out, product, {{ epilogue }}(product));
{% endif %}
}
// after: what the epilogue makes of the product.
fn store_after(r: u32, out: u32, product: f32, after: f32) {
    y[r * OUTPUTS + out] = after;
{% if stored %}
    if (r < state.rows) { store_head(state.first_row + r, out, after); }
{% endif %}
{% if trace %}
    if (r < state.rows) {
        let kept = (state.first_row + r) * OUTPUTS + out;
        activations[params.offset + kept] = product;
{% if epilogue != "none" %}
        activations[params.after_offset + kept] = after;
{% endif %}
    }
{% endif %}
}

// Copies the keys and values of the chunk from the qkv product to the cache. Grid: (quads of keys and values, rows).
{% import "common/kv_cache.wgsl" as kv %}
{% include "common/state.wgsl" %}
const CHANNEL_QUADS = {{ channels // 4 }}u;
const HEAD_QUADS = {{ head_size // 4 }}u;
const CONTEXT = {{ context }}u;
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
{{ kv.writer(storage, 2) }}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (state.done != 0u) { return; }
    if (id.x >= 2u * CHANNEL_QUADS || id.y >= state.rows) { return; }
    keep(state.first_row + id.y, id.x, qkv[id.y * 3u * CHANNEL_QUADS + CHANNEL_QUADS + id.x]);
}

// Copies the keys and values of the chunk to the cache. Grid: (quads of keys and values, rows).
{% import "common/heads.wgsl" as h %}
{% import "common/kv_cache.wgsl" as kv %}
{% include "common/state.wgsl" %}
const KV_QUADS = {{ kv_heads * head_size // 4 }}u;
const HEAD_QUADS = {{ head_size // 4 }}u;
const CONTEXT = {{ context }}u;
@group(0) @binding(0) var<storage, read> state: State;
{{ h.reader("key", 1, key_columns, key_first, key_step) }}
{{ h.reader("value", 2, value_columns, value_first, value_step) }}
{{ kv.writer(storage, 3) }}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (state.done != 0u) { return; }
    if (id.x >= 2u * KV_QUADS || id.y >= state.rows) { return; }
    let head = id.x % KV_QUADS / HEAD_QUADS;
    let quad = id.x % HEAD_QUADS;
    if (id.x < KV_QUADS) {
        keep(state.first_row + id.y, id.x, key(id.y, head, quad));
    } else {
        keep(state.first_row + id.y, id.x, value(id.y, head, quad));
    }
}

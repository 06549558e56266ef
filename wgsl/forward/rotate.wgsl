// Rotates queries and keys by position, and stores keys and values in the cache. A thread handles four neighboring
// channels of a head. Grid: (quads of queries, then of keys, then of values; rows). Rotation as in forward/rope.wgsl, in
// pairs (i, i + PAIRS), a multiple of 4.
{% import "common/kv_cache.wgsl" as kv %}
{% import "common/heads.wgsl" as h %}
{% include "common/state.wgsl" %}
{% include "forward/common/sequence.wgsl" %}
const HEAD_QUADS = {{ head_size // 4 }}u;
const QUERY_QUADS = {{ heads * head_size // 4 }}u;
const KV_QUADS = {{ kv_heads * head_size // 4 }}u;
const PAIRS = {{ pairs }}u;
const PAIR_QUADS = PAIRS / 4u;
const FINE = {{ fine }}u;
const CONTEXT = {{ context }}u;
struct Params {
    query_offset: u32, // of the rotated queries in the activation buffer, in elements
    key_offset: u32,
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
{{ h.reader("query", 2, query_columns, query_first, query_step) }}
{{ h.reader("key", 3, key_columns, key_first, key_step) }}
{{ h.reader("value", 4, value_columns, value_first, value_step) }}
@group(0) @binding(5) var<storage, read> rotations: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> rotated: array<vec4f>; // queries
{{ kv.writer("buffer", 7) }}
{% if trace %}
@group(0) @binding(8) var<storage, read_write> activations: array<f32>;
fn keep_activation(at: u32, value: vec4f) {
    for (var i = 0u; i < 4u; i++) { activations[at + i] = value[i]; }
}
{% endif %}
{% include "common/rotation.wgsl" %}

// Quad `quad` of a head after rotation, from it and the quad that it is paired with.
fn turned(row: u32, mine: vec4f, other: vec4f, quad: u32) -> vec4f {
    if (quad >= 2u * PAIR_QUADS) { return mine; }
    let position = state.position + row - sequence_start(row);
    let second = quad >= PAIR_QUADS;
    var value = mine;
    for (var i = 0u; i < 4u; i++) {
        let turn = rotation(position, quad % PAIR_QUADS * 4u + i);
        value[i] = mine[i] * turn.x + select(-other[i], other[i], second) * turn.y;
    }
    return value;
}
fn partner(quad: u32) -> u32 {
    if (quad >= 2u * PAIR_QUADS) { return quad; }
    return select(quad + PAIR_QUADS, quad - PAIR_QUADS, quad >= PAIR_QUADS);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (state.done != 0u || id.y >= state.rows) { return; }
    let row = state.first_row + id.y;
    let quad = id.x % HEAD_QUADS;
    if (id.x < QUERY_QUADS) {
        let head = id.x / HEAD_QUADS;
        let value = turned(row, query(id.y, head, quad), query(id.y, head, partner(quad)), quad);
        rotated[id.y * QUERY_QUADS + id.x] = value;
{% if trace %}
        keep_activation(params.query_offset + (row * QUERY_QUADS + id.x) * 4u, value);
{% endif %}
        return;
    }
    let at = id.x - QUERY_QUADS;
    let head = at % KV_QUADS / HEAD_QUADS;
    if (at < KV_QUADS) {
        let value = turned(row, key(id.y, head, quad), key(id.y, head, partner(quad)), quad);
        keep(row, at, value);
{% if trace %}
        keep_activation(params.key_offset + (row * KV_QUADS + at) * 4u, value);
{% endif %}
    } else if (at < 2u * KV_QUADS) {
        keep(row, at, value(id.y, head, quad));
    }
}

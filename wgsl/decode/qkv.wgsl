// One token: layer norm, then queries, keys and values. Keys and values are written directly to the cache.
{% import "decode/common/decode.wgsl" as d %}
{% import "common/kv_cache.wgsl" as kv %}
{% include "common/state.wgsl" %}
const CHANNELS = {{ inputs }}u;
const OUTPUTS = 3u * CHANNELS;
const KV_QUADS = CHANNELS / 4u;
const HEAD_QUADS = {{ head_size // 4 }}u;
const CONTEXT = {{ context }}u;
struct Params {
    norm_offset: u32, // of the layer norm in the activation buffer, in elements
    qkv_offset: u32,
    norm_point: u32,   // of edits
    mixed_point: u32,
    value_point: u32,
    after_point: u32,
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> resid: array<vec4f>;
@group(0) @binding(3) var<storage, read> scale: array<vec4f>;
@group(0) @binding(4) var<storage, read> shift: array<vec4f>;
{{ d.declare(inputs, dtype, lanes, subgroups, team_rows, threads, 5) }}
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read_write> query: array<f32>;
@group(0) @binding(8) var<storage, read_write> cache: array<f32>; // see common/kv_cache.wgsl
{% if trace %}
{{ d.activations(9) }}
{% endif %}
{{ kv.buffer_index() }}
{{ d.edits(edited) }}

fn store(out: u32, product: f32, row: u32) {
    var value = product + bias[out];
{% if "value" in edited %}
    value = edited(params.value_point, edit_position(), out, value, true);
{% endif %}
    if (out < CHANNELS) {
        query[out] = value;
    } else {
        let channel = out - CHANNELS;
        cache[cache_index(row, channel / 4u) * 4u + channel % 4u] = value;
    }
{% if trace %}
    activations[params.qkv_offset + row * OUTPUTS + out] = value;
{% endif %}
}

{{ d.entry(subgroups, threads) }}
    let first = (group.x * TEAMS + team) * TEAM_ROWS;
{{ d.fetch(inputs, dtype, lanes, team_rows, "first", "OUTPUTS") }}
    let row = state.first_row;
    if (state.done != 0u) { return; }
{{ d.norm(inputs, threads, trace, edited) }}
{{ d.product(inputs, dtype, lanes, team_rows) }}
{{ d.store_rows(team_rows) }}
}

// The sum of token embedding and position embedding for each row of the chunk:
// resid[r, c] = wte[token, c] + position_table[position, c]. Grid: (quads of channels, rows).
{% import "common/weight.wgsl" as w %}
{% import "common/edits.wgsl" as e %}
{% include "common/state.wgsl" %}
{% include "forward/common/sequence.wgsl" %}
const CHANNELS = {{ channels }}u;
const QUADS = CHANNELS / 4u;
struct Params {
    first_token: u32,      // first vocabulary row of this shard of wte
    tokens: u32,           // vocabulary rows of this shard
    positions: u32,        // rows of position_table
    tokens_offset: u32,    // of embed.tokens in the activation buffer, in elements
    positions_offset: u32,
    sum_offset: u32,
{% if edited %}
    tokens_point: u32,
    positions_point: u32,
    sum_point: u32,
{% endif %}
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> history: array<u32>;
{{ w.declare(storage, dtype, channels, tile, 3) }}
@group(0) @binding(4) var<storage, read> position_table: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> resid: array<vec4f>;
{% if trace %}
@group(0) @binding(6) var<storage, read_write> activations: array<f32>;
fn keep(offset: u32, row: u32, quad: u32, value: vec4f) {
    let at = offset + row * CHANNELS + quad * 4u;
    for (var i = 0u; i < 4u; i++) { activations[at + i] = value[i]; }
}
{% endif %}
{% if edited %}
{{ e.declare(7, 8) }}
{% endif %}
{% if clears %}
@group(0) @binding(9) var<storage, read_write> cleared: array<u32>; // filled with zeros
{% endif %}

@compute @workgroup_size(32)
fn main(
    @builtin(global_invocation_id) id: vec3u{{ ", @builtin(num_workgroups) groups: vec3u" if clears }}
) {
    if (state.done != 0u) { return; }
{% if clears %}
    for (var i = id.x; i < arrayLength(&cleared); i += groups.x * 32u) { cleared[i] = 0u; }
{% endif %}
    let quad = id.x;
    let r = id.y;
    if (quad >= QUADS || r >= state.rows) { return; }
    let row = state.first_row + r;
    let token = history[state.context_start + row];
    // Each shard of the embedding leaves tokens of other shards alone.
    if (token < params.first_token || token - params.first_token >= params.tokens) { return; }
    let position = min(state.position + row - sequence_start(row), params.positions - 1u);
    var from_token = weight_quad(token - params.first_token, quad);
    var from_position = position_table[position * QUADS + quad];
{% if edited %}
    let at = edits[0] + state.context_start + row - sequence_start(row);
    edited_sequence = sequence_of(row);
{% endif %}
{% if "tokens" in edited %}
    from_token = edited4(params.tokens_point, at, quad, from_token, true);
{% endif %}
{% if "positions" in edited %}
    from_position = edited4(params.positions_point, at, quad, from_position, true);
{% endif %}
    var sum = from_token + from_position;
{% if "sum" in edited %}
    sum = edited4(params.sum_point, at, quad, sum, true);
{% endif %}
    resid[r * QUADS + quad] = sum;
{% if trace %}
    keep(params.tokens_offset, row, quad, from_token);
    keep(params.positions_offset, row, quad, from_position);
    keep(params.sum_offset, row, quad, sum);
{% endif %}
}

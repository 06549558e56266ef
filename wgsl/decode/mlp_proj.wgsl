// One token: the second matrix of the MLP, added to the residual stream.
{% import "decode/common/decode.wgsl" as d %}
{% include "common/state.wgsl" %}
const OUTPUTS = {{ inputs // 4 }}u;
struct Params {
    out_offset: u32,   // of the projection in the activation buffer, in elements
    resid_offset: u32, // of the residual stream after it
    norm_point: u32,   // of edits
    mixed_point: u32,
    value_point: u32,
    after_point: u32,
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> hidden: array<vec4f>;
{{ d.declare(inputs, dtype, lanes, subgroups, team_rows, threads, 3) }}
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> resid: array<f32>;
{% if trace %}
{{ d.activations(6) }}
{% endif %}

{{ d.edits(edited) }}
{{ d.store_residual(trace, edited) }}
{{ d.entry(subgroups, threads) }}
    let first = (group.x * TEAMS + team) * TEAM_ROWS;
{{ d.fetch(inputs, dtype, lanes, team_rows, "first", "OUTPUTS") }}
    let row = state.first_row;
    if (state.done != 0u) { return; }
    for (var quad = thread; quad < QUADS; quad += THREADS) { x[quad] = hidden[quad]; }
    workgroupBarrier();
{{ d.product(inputs, dtype, lanes, team_rows) }}
{{ d.store_rows(team_rows) }}
}

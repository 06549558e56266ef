// One token: layer norm, the first matrix of the MLP, GELU.
{% import "decode/common/decode.wgsl" as d %}
{% include "common/state.wgsl" %}
{% include "common/gelu.wgsl" %}
const OUTPUTS = {{ 4 * inputs }}u;
struct Params {
    norm_offset: u32, // of the layer norm in the activation buffer, in elements
    out_offset: u32,  // of the hidden neurons before GELU
    gelu_offset: u32, // and after
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
@group(0) @binding(7) var<storage, read_write> hidden: array<f32>;
{% if trace %}
{{ d.activations(8) }}
{% endif %}
{{ d.edits(edited) }}

fn store(out: u32, product: f32, row: u32) {
    var value = product + bias[out];
{% if "value" in edited %}
    value = edited(params.value_point, edit_position(), out, value, true);
{% endif %}
    var after = gelu(value);
{% if "after" in edited %}
    after = edited(params.after_point, edit_position(), out, after, true);
{% endif %}
    hidden[out] = after;
{% if trace %}
    activations[params.out_offset + row * OUTPUTS + out] = value;
    activations[params.gelu_offset + row * OUTPUTS + out] = after;
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

// One token: merges the spans of attention, unless they are merged already, projects the result and adds it to the residual stream.
{% import "decode/common/decode.wgsl" as d %}
{% include "common/state.wgsl" %}
const OUTPUTS = {{ inputs }}u;
const HEADS = {{ heads }}u;
const HEAD_QUADS = {{ inputs // heads // 4 }}u;
const SPAN = {{ span }}u;
struct Params {
    mixed_offset: u32, // of the attention output in the activation buffer, in elements
    out_offset: u32,   // of the projection
    resid_offset: u32, // of the residual stream after it
    norm_point: u32,   // of edits
    mixed_point: u32,
    value_point: u32,
    after_point: u32,
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> mixed: array<vec4f>;
{% if not merged %}
@group(0) @binding(3) var<storage, read> weights: array<vec2f>;
{% endif %}
{{ d.declare(inputs, dtype, lanes, subgroups, team_rows, threads, 4) }}
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> resid: array<f32>;
{% if trace %}
{{ d.activations(7) }}
{% endif %}

{{ d.edits(edited) }}
{{ d.store_residual(trace, edited) }}
{{ d.entry(subgroups, threads) }}
    let first = (group.x * TEAMS + team) * TEAM_ROWS;
{{ d.fetch(inputs, dtype, lanes, team_rows, "first", "OUTPUTS") }}
    let row = state.first_row;
    if (state.done != 0u) { return; }
{% if not merged %}
    let spans = row / SPAN + 1u;
{% endif %}
    for (var quad = thread; quad < QUADS; quad += THREADS) {
{% if merged %}
        var value = mixed[quad];
{% else %}
        let head = quad / HEAD_QUADS;
        var highest = weights[head].x;
        for (var s = 1u; s < spans; s++) { highest = max(highest, weights[s * HEADS + head].x); }
        var total = 0.0;
        var sum = vec4f(0.0);
        for (var s = 0u; s < spans; s++) {
            let part = weights[s * HEADS + head];
            let share = exp(part.x - highest);
            total += share * part.y;
            sum += share * mixed[s * QUADS + quad];
        }
        var value = sum / total;
{% endif %}
{% if "mixed" in edited %}
        value = edited4(params.mixed_point, edit_position(), quad, value, group.x == 0u);
{% endif %}
        x[quad] = value;
{% if trace %}
        if (group.x == 0u) { keep4(params.mixed_offset + row * INPUTS + quad * 4u, value); }
{% endif %}
    }
    workgroupBarrier();
{{ d.product(inputs, dtype, lanes, team_rows) }}
{{ d.store_rows(team_rows) }}
}

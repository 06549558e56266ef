// One token: the final layer norm, unless `resid` is already normalized, and `ROUNDS * TEAMS * TEAM_ROWS` logits per
// workgroup.
{% import "decode/common/decode.wgsl" as d %}
{% include "common/state.wgsl" %}
const ROUNDS = {{ rounds }}u;
struct Params {
    norm_offset: u32, // of ln_f in the activation buffer, in elements
    first_out: u32,   // token of row 0 of this shard of wte
    outs: u32,        // rows of this shard
    norm_point: u32,   // of edits
    mixed_point: u32,
    value_point: u32,
    after_point: u32,
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> resid: array<vec4f>;
{% if normed %}
@group(0) @binding(3) var<storage, read> scale: array<vec4f>;
@group(0) @binding(4) var<storage, read> shift: array<vec4f>;
{% endif %}
{{ d.declare(inputs, dtype, lanes, subgroups, team_rows, threads, 5) }}
@group(0) @binding(6) var<storage, read_write> logits: array<f32>;
{% if trace %}
{{ d.activations(7) }}
{% endif %}
{{ d.edits(edited) }}

{{ d.entry(subgroups, threads) }}
    let row = state.first_row;
    if (state.done != 0u) { return; }
{% if normed %}
{{ d.norm(inputs, threads, trace, edited) }}
{% else %}
    for (var quad = thread; quad < QUADS; quad += THREADS) { x[quad] = resid[quad]; }
    workgroupBarrier();
{% endif %}
    // Unrolled, and stored only at the end: after a branch in a loop the lanes of a team may diverge, and a sum over
    // the team would then miss some of them.
{% for round in range(rounds) %}
    let first{{ round }} = ((group.x * ROUNDS + {{ round }}u) * TEAMS + team) * TEAM_ROWS;
{% for r in range(team_rows) %}
    var logit{{ round }}_{{ r }}: f32;
{% endfor %}
    {
{{ d.fetch(inputs, dtype, lanes, team_rows, "first" ~ round, "params.outs") }}
{{ d.product(inputs, dtype, lanes, team_rows) }}
{% for r in range(team_rows) %}
        logit{{ round }}_{{ r }} = y{{ r }};
{% endfor %}
    }
{% endfor %}
    if (lane == 0u) {
{% for round in range(rounds) %}{% for r in range(team_rows) %}
        if (first{{ round }} + {{ r }}u < params.outs) {
{% set token = "params.first_out + first" ~ round ~ " + " ~ r ~ "u" %}
{% if "value" in edited %}
            logits[{{ token }}] =
                edited(params.value_point, edit_position(), {{ token }}, logit{{ round }}_{{ r }}, true);
{% else %}
            logits[{{ token }}] = logit{{ round }}_{{ r }};
{% endif %}
        }
{% endfor %}{% endfor %}
    }
}

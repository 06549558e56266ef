// One token: up to three matrices times the same row, `inputs` -> some outputs each. A team of LANES threads computes
// TEAM_ROWS outputs, with a gate from as many rows of both matrices: {{ function }}(gate) * up. Grid: workgroups of all
// matrices, one after another. The first `ahead` loads of every row come before the prologue, which runs while they
// arrive.
// parts: the matrices; norm: "rms" or "layer" when the row is the norm of `source`, "spans" when it is attention over
// spans of keys, which is merged here, else "": the row itself. qkv: outputs are queries, keys and values, see
// decode/common/qkv.wgsl. epilogue: of a single matrix without a gate, as in forward/common/epilogue.wgsl.
{% import "common/weight.wgsl" as w %}
{% import "decode/common/spans.wgsl" as sp %}
{% import "common/teams.wgsl" as t %}
{% include "common/state.wgsl" %}
{% set packed = 4 if dtype == "f32" else (8 if inputs % 8 == 0 else 4) %}
{% set packs = inputs // packed %}
{% set steps = (packs + lanes - 1) // lanes %}
{% set slots = team_rows * (2 if gate else 1) %}{# rows of matrices per team: slot m * team_rows + r with a gate #}
const INPUTS = {{ inputs }}u;
const QUADS = INPUTS / 4u;
const PACKS = {{ packs }}u; // loads per row of a matrix
const THREADS = {{ threads }}u;
const LANES = {{ lanes }}u;
const TEAMS = THREADS / LANES;
const TEAM_ROWS = {{ team_rows }}u;
const STEPS = {{ steps }}u;
{{ t.pack(dtype, packed) }}
struct Part {
    outs: u32,      // rows of the matrix, or of its shard
    first_out: u32, // output of row 0
    offset: u32,    // of the product in the activation buffer, in elements
    after_offset: u32, // of what is made of it
}
struct Params {
    row_offset: u32,   // of the norm, or of merged attention, in the activation buffer
    query_offset: u32, // of rotated queries
    key_offset: u32,   // of rotated keys
    padding: u32,
    parts: array<Part, 3>,
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
{% if norm == "spans" %}
@group(0) @binding(2) var<storage, read> mixed: array<vec4f>;
@group(0) @binding(3) var<storage, read> shares: array<vec2f>;
const HEADS = {{ heads }}u;
const HEAD_QUADS = QUADS / HEADS;
const CHANNEL_QUADS = QUADS;
{{ sp.declare(block, most_spans, window) }}
{% include "decode/common/merged.wgsl" %}
{% else %}
@group(0) @binding(2) var<storage, read> source: array<vec4f>;
{% endif %}
{% if norm in ("rms", "layer") %}
@group(0) @binding(3) var<storage, read> scale: array<vec4f>;
{% endif %}
{% if shift %}
@group(0) @binding(4) var<storage, read> shift: array<vec4f>;
{% endif %}
{% if trace %}
@group(0) @binding(5) var<storage, read_write> activations: array<f32>;
{% endif %}
{% for i in range(parts) %}
@group(0) @binding({{ 6 + 3 * i }}) var<storage, read> weight{{ i }}: array<Pack>;
{% if not qkv and (not gate or i == 0) %}
@group(0) @binding({{ 7 + 3 * i }}) var<storage, read_write> y{{ i }}: array<f32>;
{% endif %}
{% if bias %}
@group(0) @binding({{ 8 + 3 * i }}) var<storage, read> bias{{ i }}: array<f32>;
{% endif %}
{% endfor %}
{{ w.unpack_pairs(dtype) }}
{% set applied = function if gate else (epilogue if epilogue not in ("none", "residual") else "") %}
{% if applied %}
{% include "common/" ~ applied ~ ".wgsl" %}
{% endif %}
{% if qkv %}
{% include "decode/common/qkv.wgsl" %}
{% endif %}

{% if shared %}
var<workgroup> x: array<vec4f, QUADS>;
fn x_quad(quad: u32) -> vec4f { return x[quad]; }
{% else %}
fn x_quad(quad: u32) -> vec4f { return source[quad]; }
{% endif %}
{{ t.pack_dot(dtype, packed, "x_quad(%s)") }}
{{ t.sums(subgroups) }}
{% macro fill(quad) %}
        x[{{ quad }}] = value;
{% if trace %}
        if (workgroup.x == 0u) {
            let kept = params.row_offset + row * INPUTS + {{ quad }} * 4u;
            for (var i = 0u; i < 4u; i++) { activations[kept + i] = value[i]; }
        }
{% endif %}
{% endmacro %}
{# Code for the matrix that this team multiplies, or with a gate for both. #}
{% macro branch(i) %}{{ "" if gate or parts == 1 else "if (part == " ~ i ~ "u) " }}{
{% endmacro %}
{# The load `step` of this lane. #}
{% macro pack_of(step) -%}
{{ "lane + " ~ (step * lanes) ~ "u" if (step + 1) * lanes <= packs else "min(lane + " ~ (step * lanes) ~ "u, PACKS - 1u)" }}
{%- endmacro %}
{% macro slot(i, r) %}{{ i * team_rows + r if gate else r }}{% endmacro %}

@compute @workgroup_size({{ threads }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(local_invocation_index) thread: u32,
{% if subgroups %}
    @builtin(subgroup_id) team: u32,
    @builtin(subgroup_invocation_id) lane: u32,
{% endif %}
) {
{% if not subgroups %}
    let team = thread / LANES;
    let lane = thread % LANES;
{% endif %}
    var group = workgroup.x;
    var part = 0u;
{% if not gate %}
{% for i in range(parts - 1) %}
    let groups{{ i }} = (params.parts[{{ i }}].outs + TEAMS * TEAM_ROWS - 1u) / (TEAMS * TEAM_ROWS);
    if (part == {{ i }}u && group >= groups{{ i }}) {
        part = {{ i + 1 }}u;
        group -= groups{{ i }};
    }
{% endfor %}
{% endif %}
    let outs = params.parts[part].outs;
{% if qkv %}
    let pair = group * TEAMS + team;
    let outputs = vec2u(pair / HALF * SIZE) + channels_of(pair % HALF);
{% endif %}
{% for r in range(team_rows) %}
    let out{{ r }} = {{ "outputs[" ~ r ~ "]" if qkv else "(group * TEAMS + team) * TEAM_ROWS + " ~ r ~ "u" }};
    // Outputs past the end repeat the last one.
    let row{{ r }} = min(out{{ r }}, outs - 1u);
    let at{{ r }} = row{{ r }} * PACKS;
    let to{{ r }} = params.parts[part].first_out + row{{ r }};
{% endfor %}
{% set norm_steps = ((inputs // 4) + threads - 1) // threads if norm in ("rms", "layer") else 0 %}
{% for s in range(norm_steps) %}
    let quad{{ s }} = min(thread + {{ s * threads }}u, QUADS - 1u);
    let value{{ s }} = source[quad{{ s }}];
{% endfor %}
{% for j in range(slots) %}
{% for step in range(ahead) %}
    var w{{ j }}_{{ step }}: Pack;
{% endfor %}
{% if bias %}
    var bias_{{ j }}: f32;
{% endif %}
{% if epilogue == "residual" %}
    var before{{ j }}: f32;
{% endif %}
{% endfor %}
{% for i in range(parts) %}
    {{ branch(i) }}
{% for r in range(team_rows) %}
{% for step in range(ahead) %}
        w{{ slot(i, r) }}_{{ step }} = weight{{ i }}[at{{ r }} + {{ pack_of(step) }}];
{% endfor %}
{% if bias %}
        bias_{{ slot(i, r) }} = bias{{ i }}[to{{ r }}];
{% endif %}
{% if epilogue == "residual" %}
        before{{ slot(i, r) }} = y{{ i }}[to{{ r }}];
{% endif %}
{% endfor %}
    }
{% endfor %}
{% for s in range(norm_steps) %}
    let scale{{ s }} = scale[quad{{ s }}];
{% if shift %}
    let shift{{ s }} = shift[quad{{ s }}];
{% endif %}
{% endfor %}
    let row = state.first_row;
{% if qkv and pairs %}
    let turn = rotation(state.position + row, min(pair % HALF, PAIRS - 1u));
{% endif %}
    if (state.done != 0u) { return; }

{% if norm == "spans" %}
    let spans = spans_of(min(row, {{ context }}u - 1u)).count;
    for (var quad = thread; quad < QUADS; quad += THREADS) {
        let value = merged(quad, spans);
{{ fill("quad") }}
    }
    workgroupBarrier();
{% elif norm %}
{% for s in range(norm_steps) %}
    let inside{{ s }} = thread + {{ s * threads }}u < QUADS;
{% endfor %}
{% if norm == "layer" %}
    var sum = 0.0;
{% for s in range(norm_steps) %}
    sum += select(0.0, dot(value{{ s }}, vec4f(1.0)), inside{{ s }});
{% endfor %}
    let mean = group_sum(sum, thread, team, lane) / f32(INPUTS);
{% else %}
    let mean = 0.0;
{% endif %}
    var squares = 0.0;
{% for s in range(norm_steps) %}
    let distance{{ s }} = value{{ s }} - vec4f(mean);
    squares += select(0.0, dot(distance{{ s }}, distance{{ s }}), inside{{ s }});
{% endfor %}
    let inverse = 1.0 / sqrt(group_sum(squares, thread, team, lane) / f32(INPUTS) + {{ epsilon }});
{% for s in range(norm_steps) %}
    if (inside{{ s }}) {
        let value = distance{{ s }} * inverse * (scale{{ s }} + vec4f(f32({{ offset }}))){{ " + shift" ~ s if shift }};
{{ fill("quad" ~ s) }}
    }
{% endfor %}
    workgroupBarrier();
{% elif shared %}
    for (var quad = thread; quad < QUADS; quad += THREADS) { x[quad] = source[quad]; }
    workgroupBarrier();
{% endif %}

    // No branch around a part of the lanes: after one, a driver may sum over only those that took it.
{% for j in range(slots) %}
    var sum{{ j }} = 0.0;
{% for step in range(ahead) %}
{% if (step + 1) * lanes <= packs %}
    sum{{ j }} += pack_dot(w{{ j }}_{{ step }}, {{ pack_of(step) }});
{% else %}
    sum{{ j }} += select(0.0, pack_dot(w{{ j }}_{{ step }}, {{ pack_of(step) }}), lane + {{ step * lanes }}u < PACKS);
{% endif %}
{% endfor %}
{% endfor %}
{% if ahead < steps %}
{% set at_once = [4, steps - ahead] | min %}
{% for i in range(parts) %}
    {{ branch(i) }}
        for (var s = {{ ahead }}u; s < STEPS; s += {{ at_once }}u) {
{% for k in range(at_once) %}
            let pack{{ k }} = lane + (s + {{ k }}u) * LANES;
            let index{{ k }} = min(pack{{ k }}, PACKS - 1u);
{% for r in range(team_rows) %}
            let next{{ r }}_{{ k }} = weight{{ i }}[at{{ r }} + index{{ k }}];
{% endfor %}
{% endfor %}
{% for k in range(at_once) %}
{% for r in range(team_rows) %}
            sum{{ slot(i, r) }} += select(0.0, pack_dot(next{{ r }}_{{ k }}, index{{ k }}), pack{{ k }} < PACKS);
{% endfor %}
{% endfor %}
        }
    }
{% endfor %}
{% endif %}
{% for j in range(slots) %}
    let product{{ j }} = team_sum(sum{{ j }}, thread){{ " + bias_" ~ j if bias }};
{% endfor %}
    if (lane != 0u) { return; }
{% if qkv %}
    if (out0 < outs) { store_pair(part, pair, vec2f(product0, product1), row{{ ", turn" if pairs }}); }
{% elif gate %}
{% for r in range(team_rows) %}
    if (out{{ r }} < outs) {
        let gated = product{{ slot(0, r) }};
        let upper = product{{ slot(1, r) }};
        let value = {{ function }}(gated) * upper;
        y0[out{{ r }}] = value;
{% if trace %}
        let kept = row * outs + out{{ r }};
        activations[params.parts[0].offset + kept] = gated;
        activations[params.parts[1].offset + kept] = upper;
        activations[params.parts[0].after_offset + kept] = value;
{% endif %}
    }
{% endfor %}
{% else %}
{% for i in range(parts) %}
    {{ branch(i) }}
{% for r in range(team_rows) %}
        if (out{{ r }} < outs) {
{% if epilogue == "residual" %}
            let after{{ r }} = before{{ r }} + product{{ r }};
{% elif epilogue == "none" %}
            let after{{ r }} = product{{ r }};
{% else %}
            let after{{ r }} = {{ epilogue }}(product{{ r }});
{% endif %}
            y{{ i }}[to{{ r }}] = after{{ r }};
{% if trace %}
            let kept = row * {{ outputs0 if i == 0 else (outputs1 if i == 1 else outputs2) }}u + to{{ r }};
            activations[params.parts[{{ i }}].offset + kept] = product{{ r }};
{% if epilogue != "none" %}
            activations[params.parts[{{ i }}].after_offset + kept] = after{{ r }};
{% endif %}
{% endif %}
        }
{% endfor %}
    }
{% endfor %}
{% endif %}
}

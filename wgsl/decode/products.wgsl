// One token: up to three matrices times the same row, `inputs` -> some outputs each. A team of LANES threads computes one
// output, or with a gate two: {{ function }}(gate) * up. Grid: workgroups of all matrices, one after another.
// parts: the matrices; norm: "rms" or "layer" when the row is the norm of `source`, "spans" when it is attention over
// spans of keys, which is merged here, else "": the row itself.
// epilogue: of a single matrix without a gate, as in forward/common/epilogue.wgsl.
{% import "common/weight.wgsl" as w %}
{% import "decode/common/spans.wgsl" as sp %}
{% import "decode/common/teams.wgsl" as t %}
{% include "common/state.wgsl" %}
{% set packed = 4 if dtype == "f32" else (8 if inputs % 8 == 0 else 4) %}
const INPUTS = {{ inputs }}u;
const QUADS = INPUTS / 4u;
const PACKS = {{ inputs // packed }}u; // loads per row of a matrix
const THREADS = {{ threads }}u;
const LANES = {{ lanes }}u;
const TEAMS = THREADS / LANES;
const STEPS = (PACKS + LANES - 1u) / LANES;
{{ t.pack(dtype, packed) }}
struct Part {
    outs: u32,      // rows of the matrix, or of its shard
    first_out: u32, // output of row 0
    offset: u32,    // of the product in the activation buffer, in elements
    after_offset: u32, // of what is made of it
}
struct Params {
    row_offset: u32, // of the norm, or of merged attention, in the activation buffer
    padding0: u32,
    padding1: u32,
    padding2: u32,
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
{% if not gate or i == 0 %}
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

{% if shared %}
var<workgroup> x: array<vec4f, QUADS>;
fn x_quad(quad: u32) -> vec4f { return x[quad]; }
{% else %}
fn x_quad(quad: u32) -> vec4f { return source[quad]; }
{% endif %}
{{ t.pack_dot(dtype, packed, "x_quad(%s)") }}
{{ t.sums(subgroups) }}
{% for i in range(parts) %}

// Output `out` of matrix {{ i }}, without its bias; valid in lane 0. Outputs past the end repeat the last one.
fn product{{ i }}(out: u32, thread: u32, lane: u32) -> f32 {
    let at = min(out, params.parts[{{ i }}].outs - 1u) * PACKS;
    var part = 0.0;
    // No branch: after one, a driver may sum over only the lanes that took it.
    for (var s = 0u; s < STEPS; s++) {
        let pack = lane + s * LANES;
        let index = min(pack, PACKS - 1u);
        part += select(0.0, pack_dot(weight{{ i }}[at + index], index), pack < PACKS);
    }
    return team_sum(part, thread);
}
{% endfor %}

{% macro fill() %}
        x[quad] = value;
{% if trace %}
        if (workgroup.x == 0u) {
            let kept = params.row_offset + row * INPUTS + quad * 4u;
            for (var i = 0u; i < 4u; i++) { activations[kept + i] = value[i]; }
        }
{% endif %}
{% endmacro %}
@compute @workgroup_size({{ threads }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(local_invocation_index) thread: u32,
{% if subgroups %}
    @builtin(subgroup_id) team: u32,
    @builtin(subgroup_invocation_id) lane: u32,
{% endif %}
) {
    if (state.done != 0u) { return; }
{% if not subgroups %}
    let team = thread / LANES;
    let lane = thread % LANES;
{% endif %}
    let row = state.first_row;
{% if norm == "spans" %}
    let spans = spans_of(min(row, {{ context }}u - 1u)).count;
    for (var quad = thread; quad < QUADS; quad += THREADS) {
        let value = merged(quad, spans);
{{ fill() }}
    }
    workgroupBarrier();
{% elif norm %}
{% if norm == "layer" %}
    var sum = 0.0;
    for (var quad = thread; quad < QUADS; quad += THREADS) { sum += dot(source[quad], vec4f(1.0)); }
    let mean = group_sum(sum, thread, team, lane) / f32(INPUTS);
{% else %}
    let mean = 0.0;
{% endif %}
    var squares = 0.0;
    for (var quad = thread; quad < QUADS; quad += THREADS) {
        let d = source[quad] - vec4f(mean);
        squares += dot(d, d);
    }
    let inverse = 1.0 / sqrt(group_sum(squares, thread, team, lane) / f32(INPUTS) + {{ epsilon }});
    for (var quad = thread; quad < QUADS; quad += THREADS) {
        let value = (source[quad] - vec4f(mean)) * inverse * (scale[quad] + vec4f(f32({{ offset }}))){{ " + shift[quad]" if shift }};
{{ fill() }}
    }
    workgroupBarrier();
{% elif shared %}
    for (var quad = thread; quad < QUADS; quad += THREADS) { x[quad] = source[quad]; }
    workgroupBarrier();
{% endif %}
{% if gate %}
    let out = workgroup.x * TEAMS + team;
    let gated = product0(out, thread, lane){{ " + bias0[min(out, params.parts[0].outs - 1u)]" if bias }};
    let upper = product1(out, thread, lane){{ " + bias1[min(out, params.parts[1].outs - 1u)]" if bias }};
    if (lane == 0u && out < params.parts[0].outs) {
        let value = {{ function }}(gated) * upper;
        y0[out] = value;
{% if trace %}
        let kept = row * params.parts[0].outs + out;
        activations[params.parts[0].offset + kept] = gated;
        activations[params.parts[1].offset + kept] = upper;
        activations[params.parts[0].after_offset + kept] = value;
{% endif %}
    }
{% else %}
    var group = workgroup.x;
{% for i in range(parts) %}
{% if i + 1 < parts %}
    let groups{{ i }} = (params.parts[{{ i }}].outs + TEAMS - 1u) / TEAMS;
    if (group < groups{{ i }}) {
{% else %}
    {
{% endif %}
        let out = group * TEAMS + team;
        let sum = product{{ i }}(out, thread, lane);
        if (lane == 0u && out < params.parts[{{ i }}].outs) {
            let to = params.parts[{{ i }}].first_out + out;
            let product = sum{{ " + bias" ~ i ~ "[to]" if bias }};
{% if epilogue == "residual" %}
            let after = y{{ i }}[to] + product;
{% elif epilogue == "none" %}
            let after = product;
{% else %}
            let after = {{ epilogue }}(product);
{% endif %}
            y{{ i }}[to] = after;
{% if trace %}
            let kept = row * {{ outputs0 if i == 0 else (outputs1 if i == 1 else outputs2) }}u + to;
            activations[params.parts[{{ i }}].offset + kept] = product;
{% if epilogue != "none" %}
            activations[params.parts[{{ i }}].after_offset + kept] = after;
{% endif %}
{% endif %}
        }
{% if i + 1 < parts %}
        return;
    }
    group -= groups{{ i }};
{% else %}
    }
{% endif %}
{% endfor %}
{% endif %}
}

{# Macros of the fused decode kernels: one row of activations times a matrix [out, in]. A team of LANES threads computes
   a few rows of the matrix. Weights are loaded to registers first, so that the prologue (layer norm, or merging
   attention) runs while they arrive.
   Arguments: inputs; dtype; lanes: threads per team; subgroups: teams are subgroups of exactly that size; team_rows:
   matrix rows per team; threads: per workgroup. #}
{% import "common/weight.wgsl" as w %}
{% import "common/edits.wgsl" as e %}
{% import "common/teams.wgsl" as t %}
{% macro declare(inputs, dtype, lanes, subgroups, team_rows, threads, binding) %}
{% set packed = 4 if dtype == "f32" else (8 if inputs % 8 == 0 else 4) %}
{% set packs = inputs // packed %}
const INPUTS = {{ inputs }}u;
const QUADS = {{ inputs // 4 }}u;
const THREADS = {{ threads }}u;
const LANES = {{ lanes }}u;
const TEAMS = THREADS / LANES;
const TEAM_ROWS = {{ team_rows }}u;
const PACKS = {{ packs }}u; // loads per row of the matrix
{{ t.pack(dtype, packed) }}
@group(0) @binding({{ binding }}) var<storage, read> weight: array<Pack>;
{{ w.unpack_pairs(dtype) }}
var<workgroup> x: array<vec4f, QUADS>;
{{ t.pack_dot(dtype, packed, "x[%s]") }}
{{ t.sums(subgroups) }}
{% endmacro %}

{% macro entry(subgroups, threads) %}
@compute @workgroup_size({{ threads }})
fn main(
    @builtin(workgroup_id) group: vec3u,
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
{% endmacro %}

{# Registers w{r}_{s}: this lane's pack s of row `first + r`. Rows past the end repeat the last row and are not used. #}
{% macro fetch(inputs, dtype, lanes, team_rows, first, outs) %}
{% set packed = 4 if dtype == "f32" else (8 if inputs % 8 == 0 else 4) %}
{% set packs = inputs // packed %}
{% set steps = (packs + lanes - 1) // lanes %}
{% for r in range(team_rows) %}
    let at{{ r }} = min({{ first }} + {{ r }}u, {{ outs }} - 1u) * PACKS;
{% for s in range(steps) %}
{% if (s + 1) * lanes <= packs %}
    let w{{ r }}_{{ s }} = weight[at{{ r }} + lane + {{ s * lanes }}u];
{% else %}
    let w{{ r }}_{{ s }} = weight[at{{ r }} + min(lane + {{ s * lanes }}u, PACKS - 1u)];
{% endif %}
{% endfor %}
{% endfor %}
{% endmacro %}

{# y{r}: the product of row `first + r` with x, which must be complete. Valid at least in lane 0 of the team. #}
{% macro product(inputs, dtype, lanes, team_rows) %}
{% set packed = 4 if dtype == "f32" else (8 if inputs % 8 == 0 else 4) %}
{% set packs = inputs // packed %}
{% set steps = (packs + lanes - 1) // lanes %}
{% for r in range(team_rows) %}
    var part{{ r }} = 0.0;
{% endfor %}
{% for s in range(steps) %}
{% for r in range(team_rows) %}
{% if (s + 1) * lanes <= packs %}
    part{{ r }} += pack_dot(w{{ r }}_{{ s }}, lane + {{ s * lanes }}u);
{% else %}
    // No branch: after one, a driver may sum over only the lanes that took it.
    part{{ r }} += select(
        0.0, pack_dot(w{{ r }}_{{ s }}, min(lane + {{ s * lanes }}u, PACKS - 1u)), lane + {{ s * lanes }}u < PACKS
    );
{% endif %}
{% endfor %}
{% endfor %}
{% for r in range(team_rows) %}
    let y{{ r }} = team_sum(part{{ r }}, thread);
{% endfor %}
{% endmacro %}

{# What kernels need that edit tensors where they compute them. edited: which, of "norm", "mixed", "value" and "after"; the
   last two are the product with its bias and what is made of it. Points of the others are not used. #}
{% macro edits(edited) %}
{% if edited %}
{{ e.declare(20, 21) }}
// The position in the text of the row of this pass.
fn edit_position() -> u32 { return edits[0] + state.context_start + state.first_row; }
{% endif %}
{% endmacro %}

{# Fills x with the layer norm of `resid`. When traced, workgroup 0 stores it. #}
{% macro norm(inputs, threads, trace, edited) %}
{% set quads = inputs // 4 %}
{% set steps = (quads + threads - 1) // threads %}
    var sum = 0.0;
{% for s in range(steps) %}
    let q{{ s }} = min(thread + {{ s * threads }}u, QUADS - 1u);
    let in{{ s }} = thread + {{ s * threads }}u < QUADS;
    let v{{ s }} = select(vec4f(0.0), resid[q{{ s }}], in{{ s }});
    sum += dot(v{{ s }}, vec4f(1.0));
{% endfor %}
    let mean = group_sum(sum, thread, team, lane) / f32(INPUTS);
    var squares = 0.0;
{% for s in range(steps) %}
    let d{{ s }} = select(vec4f(0.0), v{{ s }} - vec4f(mean), in{{ s }});
    squares += dot(d{{ s }}, d{{ s }});
{% endfor %}
    let variance = group_sum(squares, thread, team, lane) / f32(INPUTS);
    let inverse = 1.0 / sqrt(variance + 1e-5);
{% for s in range(steps) %}
    if (thread + {{ s * threads }}u < QUADS) {
        let quad = thread + {{ s * threads }}u;
        var value = (v{{ s }} - vec4f(mean)) * inverse * scale[quad] + shift[quad];
{% if "norm" in edited %}
        value = edited4(params.norm_point, edit_position(), quad, value, group.x == 0u);
{% endif %}
        x[quad] = value;
{% if trace %}
        if (group.x == 0u) { keep4(params.norm_offset + row * INPUTS + quad * 4u, value); }
{% endif %}
    }
{% endfor %}
    workgroupBarrier();
{% endmacro %}

{% macro activations(binding) %}
@group(0) @binding({{ binding }}) var<storage, read_write> activations: array<f32>;
fn keep4(at: u32, value: vec4f) {
    for (var i = 0u; i < 4u; i++) { activations[at + i] = value[i]; }
}
{% endmacro %}

{# Lane 0 of the team stores the results of `product` with the kernel's function `store(out, product, row)`. #}
{% macro store_rows(team_rows) %}
    if (lane == 0u) {
{% for r in range(team_rows) %}
        if (first + {{ r }}u < OUTPUTS) { store(first + {{ r }}u, y{{ r }}, row); }
{% endfor %}
    }
{% endmacro %}

{# The function `store` of kernels that add their product to the residual stream. #}
{% macro store_residual(trace, edited) %}
fn store(out: u32, product: f32, row: u32) {
    var value = product + bias[out];
{% if "value" in edited %}
    value = edited(params.value_point, edit_position(), out, value, true);
{% endif %}
    var after = resid[out] + value;
{% if "after" in edited %}
    after = edited(params.after_point, edit_position(), out, after, true);
{% endif %}
    resid[out] = after;
{% if trace %}
    activations[params.out_offset + row * OUTPUTS + out] = value;
    activations[params.resid_offset + row * OUTPUTS + out] = after;
{% endif %}
}
{% endmacro %}

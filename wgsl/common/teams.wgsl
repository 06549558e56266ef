{# Macros of kernels in which a team of LANES threads sums together; a workgroup has THREADS threads in TEAMS teams. #}
{# The type of a load of weights, `packed` values, unpacked by `unpack_pairs` of common/weight.wgsl. #}
{% macro pack(dtype, packed) %}
{% if dtype == "f32" %}
alias Pack = vec4f;
{% elif packed == 8 %}
alias Pack = vec4u;
{% else %}
alias Pack = vec2u;
{% endif %}
{% endmacro %}

{# The product of a load with its part of the input; x: an expression for a quad of it, with %s for the quad's index. #}
{% macro pack_dot(dtype, packed, x) %}
fn pack_dot(pack: Pack, index: u32) -> f32 {
{% if dtype == "f32" %}
    return dot(pack, {{ x % "index" }});
{% elif packed == 8 %}
    return dot(unpack_low(pack.xy), {{ x % "index * 2u" }}) + dot(unpack_low(pack.zw), {{ x % "index * 2u + 1u" }});
{% else %}
    return dot(unpack_low(pack), {{ x % "index" }});
{% endif %}
}
{% endmacro %}

{# Sums over a team and over the workgroup. subgroups: teams are subgroups of exactly that size. #}
{% macro sums(subgroups) %}
{% if subgroups %}
var<workgroup> team_sums: array<f32, TEAMS>;
fn team_sum(value: f32, thread: u32) -> f32 { return subgroupAdd(value); }
// Sum over the workgroup, valid in every thread.
fn group_sum(value: f32, thread: u32, team: u32, lane: u32) -> f32 {
    let mine = subgroupAdd(value);
    if (lane == 0u) { team_sums[team] = mine; }
    workgroupBarrier();
    var total = 0.0;
    for (var i = 0u; i < TEAMS; i++) { total += team_sums[i]; }
    workgroupBarrier();
    return total;
}
{% else %}
var<workgroup> shared_sums: array<f32, THREADS>;
// Sum over the team. Every thread of the workgroup must call it.
fn team_sum(value: f32, thread: u32) -> f32 {
    shared_sums[thread] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread % LANES < half) { shared_sums[thread] += shared_sums[thread + half]; }
    }
    workgroupBarrier();
    let total = shared_sums[thread / LANES * LANES];
    workgroupBarrier();
    return total;
}
fn group_sum(value: f32, thread: u32, team: u32, lane: u32) -> f32 {
    shared_sums[thread] = value;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { shared_sums[thread] += shared_sums[thread + half]; }
    }
    workgroupBarrier();
    let total = shared_sums[0];
    workgroupBarrier();
    return total;
}
{% endif %}
{% endmacro %}

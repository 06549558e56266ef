{# The norm of the rows that a matrix product reads: each workgroup computes the mean and the deviation of its ROWS rows
   itself. norm: "layer" or "rms", as in forward/layer_norm.wgsl and forward/rms_norm.wgsl; shift: of a layer norm; offset:
   of an RMS norm, added to the scale. Needs ROWS, INPUTS, QUADS, `x`, and teams of common/teams.wgsl. #}
{% macro scale_of(values, offset) %}{{ values }}{{ " + vec4f(f32(" ~ offset ~ "))" if offset }}{% endmacro %}
{% macro declare(norm, shift) %}
var<workgroup> deviations: array<vec2f, ROWS>; // 1 / deviation, -mean / deviation
fn normalized(values: vec4f, r: u32, scale: vec4f{{ ", shift: vec4f" if shift }}) -> vec4f {
    let deviation = deviations[r];
{% if norm == "layer" %}
    return (values * deviation.x + vec4f(deviation.y)) * scale{{ " + shift" if shift }};
{% else %}
    return values * deviation.x * scale;
{% endif %}
}
{% endmacro %}

{# Code for main: `deviations` of the rows that begin at quad `first_quad` of x. Each team takes `count` rows, and its lanes
   as many steps each: after a branch, a driver may sum over only those that took it. #}
{% macro compute(norm, epsilon, count, first_quad) %}
{% for j in range(count) %}
    let row_of_team{{ j }} = min(team + {{ j }}u * TEAMS, ROWS - 1u);
    let row_from{{ j }} = {{ first_quad }} + row_of_team{{ j }} * QUADS;
    var sum_of_row{{ j }} = 0.0;
    var squares_of_row{{ j }} = 0.0;
{% endfor %}
{% if norm == "layer" %}
    for (var step = 0u; step < QUADS; step += LANES) {
        let quad = min(step + lane, QUADS - 1u);
{% for j in range(count) %}
        sum_of_row{{ j }} += select(0.0, dot(x[row_from{{ j }} + quad], vec4f(1.0)), step + lane < QUADS);
{% endfor %}
    }
{% endif %}
{% for j in range(count) %}
    let mean{{ j }} = {{ "team_sum(sum_of_row" ~ j ~ ", thread) / f32(INPUTS)" if norm == "layer" else "0.0" }};
{% endfor %}
    // Two passes over x, as in forward/layer_norm.wgsl.
    for (var step = 0u; step < QUADS; step += LANES) {
        let quad = min(step + lane, QUADS - 1u);
{% for j in range(count) %}
        let distance{{ j }} = x[row_from{{ j }} + quad] - vec4f(mean{{ j }});
        squares_of_row{{ j }} += select(0.0, dot(distance{{ j }}, distance{{ j }}), step + lane < QUADS);
{% endfor %}
    }
{% for j in range(count) %}
    let inverse{{ j }} = 1.0 / sqrt(team_sum(squares_of_row{{ j }}, thread) / f32(INPUTS) + {{ epsilon }});
    if (lane == 0u && team + {{ j }}u * TEAMS < ROWS) { deviations[row_of_team{{ j }}] = vec2f(inverse{{ j }}, -mean{{ j }} * inverse{{ j }}); }
{% endfor %}
    workgroupBarrier();
{% endmacro %}

// logits[r, o] = sum_k x[r, k] * weight[o, k] + bias[o] for tiles of 16 rows: the head's product where rows are few and
// the matrix is so large that reading it takes most of the time. A team of 8 neighboring threads computes OUTS outputs
// for all rows of a tile, and reads consecutive quads of each. Grid: (tiles of 16 rows, tiles of 32 * OUTS outputs), so
// that workgroups which run at the same time share what they read of the matrix.
// The matrix is in buffers.
{% import "common/weight.wgsl" as w %}
{% include "common/state.wgsl" %}
const OUTPUTS = {{ outputs }}u;
const QUADS = {{ inputs // 4 }}u;
const ROWS = 16u;
const TEAM = 8u;
const TEAMS = 32u;
const OUTS = {{ outs }}u; // per team
const DEPTH = 32u;        // quads of k per step, 4 for each thread of a team
struct Params {
    first_out: u32, // output of row 0 of this shard
    outs: u32,      // outputs of this shard
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(5) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
{{ w.declare("buffer", dtype, inputs, 0, 2) }}
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
{% if bias %}
@group(0) @binding(4) var<storage, read> bias: array<f32>;
{% endif %}

var<workgroup> tile: array<vec4f, ROWS * DEPTH>;
var<workgroup> partial: array<f32, ROWS * 256u>; // [rows, threads]; a thread reads 8 neighboring words with two loads

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let row0 = group.x * ROWS;
    if (state.done != 0u || row0 >= state.rows) { return; }
    let team = thread / TEAM;
    let lane = thread % TEAM;
{% for o in range(outs) %}
    let out{{ o }} = (group.y * OUTS + {{ o }}u) * TEAMS + team;
    let from{{ o }} = min(out{{ o }}, params.outs - 1u);
{% for r in range(16) %}
    var sum{{ o }}_{{ r }} = 0.0;
{% endfor %}
{% endfor %}
    for (var step = 0u; step < QUADS; step += DEPTH) {
        workgroupBarrier();
        for (var i = thread; i < ROWS * DEPTH; i += 256u) {
            let quad = step + i % DEPTH;
            tile[i] = select(vec4f(0.0), x[(row0 + i / DEPTH) * QUADS + min(quad, QUADS - 1u)], quad < QUADS);
        }
        workgroupBarrier();
{% for j in range(4) %}
{% for o in range(outs) %}
        let w{{ o }}_{{ j }} = weight_quad(from{{ o }}, min(step + {{ 8 * j }}u + lane, QUADS - 1u));
{% endfor %}
{% endfor %}
{% for j in range(4) %}
{% for r in range(16) %}
        {
            let a = tile[{{ r }}u * DEPTH + {{ 8 * j }}u + lane];
{% for o in range(outs) %}
            sum{{ o }}_{{ r }} += dot(w{{ o }}_{{ j }}, a);
{% endfor %}
        }
{% endfor %}
{% endfor %}
    }
{% for o in range(outs) %}
    workgroupBarrier();
{% for r in range(16) %}
    partial[{{ r }}u * 256u + thread] = sum{{ o }}_{{ r }};
{% endfor %}
    workgroupBarrier();
    // Each thread adds up two results: neighboring threads write neighboring outputs.
{% for half in range(2) %}
    {
        let r = thread / TEAMS + {{ 8 * half }}u;
        let out = (group.y * OUTS + {{ o }}u) * TEAMS + thread % TEAMS;
        let first = r * 256u + thread % TEAMS * TEAM;
        let total = {% for i in range(8) %}{{ " + " if i }}partial[first + {{ i }}u]{% endfor %};
        if (out < params.outs && row0 + r < state.rows) {
            logits[(row0 + r) * OUTPUTS + params.first_out + out] = total{{ " + bias[params.first_out + out]" if bias }};
        }
    }
{% endfor %}
{% endfor %}
}

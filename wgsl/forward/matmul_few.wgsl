// y[r, o] = sum_k x[r, k] * weight[o, k] + bias[o] for few rows: a workgroup computes OUTS outputs for ROWS rows, and
// its threads share the sum over k. So every load of the matrix is used for ROWS rows, and many loads are under way at
// once, which is what counts when there are too few rows to fill the tiles of matmul_tiled. Grid: (groups of OUTS outputs,
// tiles of rows). Epilogues as in matmul_rows.
// subgroups: subgroups have exactly `lanes` threads.
{% set storage, tile, chunked, uniform_rows = "buffer", 0, false, 0 %}
{% include "forward/common/product.wgsl" %}
const THREADS = {{ threads }}u;
const ROWS = {{ rows }}u;
const OUTS = {{ outs }}u;
const RESULTS = ROWS * OUTS;

{% if subgroups %}
const PARTS = THREADS / {{ lanes }}u;
{% else %}
const PARTS = THREADS; // of each sum
{% endif %}
var<workgroup> partial: array<f32, {{ "PARTS * RESULTS" if subgroups else "THREADS * ROWS" }}>;

@compute @workgroup_size({{ threads }})
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) thread: u32,
{% if subgroups %}
    @builtin(subgroup_id) team: u32,
    @builtin(subgroup_invocation_id) lane: u32,
{% endif %}
) {
    if (state.done != 0u) { return; }
    let row0 = group.y * ROWS;
    if (row0 >= state.rows) { return; }
{% for r in range(rows) %}
    let from{{ r }} = min(row0 + {{ r }}u, state.rows - 1u) * QUADS;
{% endfor %}
{% for o in range(outs) %}
    let out{{ o }} = min(group.x * OUTS + {{ o }}u, params.outs - 1u);
{% for r in range(rows) %}
    var sum{{ o }}_{{ r }} = 0.0;
{% endfor %}
{% endfor %}
    // As many steps for each thread: after a branch, a driver may sum over only the threads that took it.
    for (var first = 0u; first < QUADS; first += THREADS) {
        let quad = min(first + thread, QUADS - 1u);
        let inside = first + thread < QUADS;
{% for o in range(outs) %}
        let w{{ o }} = select(vec4f(0.0), weight_quad(out{{ o }}, quad), inside);
{% endfor %}
{% for r in range(rows) %}
        {
            let a = x[from{{ r }} + quad];
{% for o in range(outs) %}
            sum{{ o }}_{{ r }} += dot(w{{ o }}, a);
{% endfor %}
        }
{% endfor %}
    }
{% if subgroups %}
{% for o in range(outs) %}
{% for r in range(rows) %}
    let total{{ o }}_{{ r }} = subgroupAdd(sum{{ o }}_{{ r }});
{% endfor %}
{% endfor %}
    if (lane == 0u) {
{% for o in range(outs) %}
{% for r in range(rows) %}
        partial[team * RESULTS + {{ r * outs + o }}u] = total{{ o }}_{{ r }};
{% endfor %}
{% endfor %}
    }
    workgroupBarrier();
    for (var i = thread; i < RESULTS; i += THREADS) {
        var total = 0.0;
        for (var part = 0u; part < PARTS; part++) { total += partial[part * RESULTS + i]; }
        finish(row0 + i / OUTS, group.x * OUTS + i % OUTS, total);
    }
{% else %}
{% for o in range(outs) %}
    workgroupBarrier();
{% for r in range(rows) %}
    partial[{{ r }}u * THREADS + thread] = sum{{ o }}_{{ r }};
{% endfor %}
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        for (var i = thread; i < half * ROWS; i += THREADS) {
            let at = i / half * THREADS + i % half;
            partial[at] += partial[at + half];
        }
    }
    workgroupBarrier();
    if (thread < ROWS) { finish(row0 + thread, group.x * OUTS + {{ o }}u, partial[thread * THREADS]); }
{% endfor %}
{% endif %}
}

// Store a sum over all of k.
fn finish(r: u32, local_out: u32, sum: f32) {
    if (r >= state.rows || local_out >= params.outs) { return; }
    let out = params.first_out + local_out;
    store(r, out, sum{{ " + bias[out]" if bias }});
}

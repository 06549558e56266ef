// y[r, o] = sum_k x[r, k] * weight[o, k] + bias[o] for many rows: a workgroup computes a tile of ROWS x OUTS, a thread
// a register tile of TALL x 4 of it. Grid: (tiles of outputs, tiles of rows). Epilogues as in matmul_rows.
{% import "common/weight.wgsl" as w %}
{% include "common/state.wgsl" %}
const INPUTS = {{ inputs }}u;
const OUTPUTS = {{ outputs }}u;
const QUADS = INPUTS / 4u;
const TALL = {{ tall }}u;
const ROWS = 16u * TALL;
const OUTS = 64u;
const DEPTH = 16u; // k of a step
struct Params {
    first_out: u32,  // output that row 0 of this piece of the weight is
    outs: u32,       // outputs of this piece
    sink: u32,       // offset of the product (with bias) in the sink, in elements
    sink_after: u32, // offset of the result after the epilogue, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
{{ w.declare("buffer", dtype, inputs, 0, 3) }}
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
{% if trace %}
@group(0) @binding(6) var<storage, read_write> sink: array<f32>;
{% endif %}
{% if epilogue == "gelu" %}
{% include "common/gelu.wgsl" %}
{% endif %}

// k outermost, so that a thread's rows and outputs are one vector load each.
var<workgroup> x_tile: array<f32, DEPTH * ROWS>;
var<workgroup> w_tile: array<vec4f, DEPTH * OUTS / 4u>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let row0 = group.y * ROWS;
    if (row0 >= state.rows) { return; }
    let out0 = group.x * OUTS;
    let tx = thread % 16u; // quad of outputs
    let ty = thread / 16u; // TALL rows
    let load_row = thread / 4u;
    let load_quad = thread % 4u;
{% for i in range(tall) %}
    var sum{{ i }} = vec4f(0.0);
{% endfor %}
    for (var step = 0u; step < QUADS; step += DEPTH / 4u) {
        let quad = step + load_quad;
        var from_x = vec4f(0.0);
        var from_w = vec4f(0.0);
        if (quad < QUADS) {
            if (load_row < ROWS) { from_x = x[(row0 + load_row) * QUADS + quad]; }
            if (out0 + load_row < params.outs) { from_w = weight_quad(out0 + load_row, quad); }
        }
        workgroupBarrier();
        for (var i = 0u; i < 4u; i++) {
            if (load_row < ROWS) { x_tile[(load_quad * 4u + i) * ROWS + load_row] = from_x[i]; }
            w_tile[(load_quad * 4u + i) * (OUTS / 4u) + load_row / 4u][load_row % 4u] = from_w[i];
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            let b = w_tile[k * (OUTS / 4u) + tx];
{% for i in range(tall) %}
            sum{{ i }} += x_tile[k * ROWS + ty * TALL + {{ i }}u] * b;
{% endfor %}
        }
    }
{% for i in range(tall) %}
    store(row0 + ty * TALL + {{ i }}u, out0 + tx * 4u, sum{{ i }});
{% endfor %}
}

fn store(r: u32, local_out: u32, sums: vec4f) {
    if (r >= state.rows) { return; }
    for (var i = 0u; i < 4u; i++) {
        if (local_out + i >= params.outs) { return; }
        let out = params.first_out + local_out + i;
        let product = sums[i] + bias[out];
        let at = r * OUTPUTS + out;
{% if epilogue == "residual" %}
        let after = y[at] + product;
{% elif epilogue == "gelu" %}
        let after = gelu(product);
{% else %}
        let after = product;
{% endif %}
        y[at] = after;
{% if trace %}
        let kept = (state.first_row + r) * OUTPUTS + out;
        sink[params.sink + kept] = product;
{% if epilogue != "none" %}
        sink[params.sink_after + kept] = after;
{% endif %}
{% endif %}
    }
}

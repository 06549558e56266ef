// y[r, o] = sum_k x[r, k] * weight[o, k] + bias[o] for many rows. A workgroup computes a tile of ROWS x OUTS, a thread
// TALL x 4 elements of it in registers. Grid: (tiles of outputs, tiles of rows). Epilogues as in matmul_rows.
{% import "common/weight.wgsl" as w %}
{% include "common/state.wgsl" %}
const INPUTS = {{ inputs }}u;
const OUTPUTS = {{ outputs }}u;
const QUADS = INPUTS / 4u;
const TALL = {{ tall }}u;
const ROWS = 16u * TALL;
const OUTS = 64u;
const DEPTH = 16u; // k per step
struct Params {
    first_out: u32,    // output of row 0 of this shard
    outs: u32,         // outputs of this shard
    offset: u32,       // of the product with bias in the activation buffer, in elements
    after_offset: u32, // of the result of the epilogue, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
{{ w.declare("buffer", dtype, inputs, 0, 3) }}
{% if bias %}
@group(0) @binding(4) var<storage, read> bias: array<f32>;
{% endif %}
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
{% if trace %}
@group(0) @binding(6) var<storage, read_write> activations: array<f32>;
{% endif %}
{% include "forward/common/epilogue.wgsl" %}

// k is the outermost index, so that a thread loads its rows, and its outputs, with one vector load. Each row has 4
// words of padding, which reduces bank conflicts between threads that store neighboring quads of k.
const X_STRIDE = (ROWS + 4u) / 4u; // vectors
const W_STRIDE = (OUTS + 4u) / 4u;
var<workgroup> x_tile: array<vec4f, DEPTH * X_STRIDE>;
var<workgroup> w_tile: array<vec4f, DEPTH * W_STRIDE>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    if (state.done != 0u) { return; }
    let row0 = group.y * ROWS;
    if (row0 >= state.rows) { return; }
    let out0 = group.x * OUTS;
    let tx = thread % 16u; // quad of outputs
    let ty = thread / 16u; // TALL rows
    let load_row = thread / 4u;
    let load_quad = thread % 4u;
    let x_from = (row0 + load_row % ROWS) * QUADS;
    let out = min(out0 + load_row, params.outs - 1u);
{% for i in range(tall) %}
    var sum{{ i }} = vec4f(0.0);
{% endfor %}
    // Load the values of the next step while those of this one are multiplied.
    var next_x = quad_or_zero_x(x_from, load_quad);
    var next_w = quad_or_zero_w(out, load_quad);
    for (var step = 0u; step < QUADS; step += DEPTH / 4u) {
        workgroupBarrier();
{% for i in range(4) %}
        if (load_row < ROWS) { x_tile[(load_quad * 4u + {{ i }}u) * X_STRIDE + load_row / 4u][load_row % 4u] = next_x[{{ i }}]; }
        w_tile[(load_quad * 4u + {{ i }}u) * W_STRIDE + load_row / 4u][load_row % 4u] = next_w[{{ i }}];
{% endfor %}
        workgroupBarrier();
        next_x = quad_or_zero_x(x_from, step + DEPTH / 4u + load_quad);
        next_w = quad_or_zero_w(out, step + DEPTH / 4u + load_quad);
{% for k in range(16) %}
        {
            let b = w_tile[{{ k }}u * W_STRIDE + tx];
{% if tall == 4 %}
            let a = x_tile[{{ k }}u * X_STRIDE + ty];
{% else %}
            let a4 = x_tile[{{ k }}u * X_STRIDE + ty / 2u];
            let a = select(a4.xy, a4.zw, ty % 2u == 1u);
{% endif %}
{% for i in range(tall) %}
            sum{{ i }} += a[{{ i }}] * b;
{% endfor %}
        }
{% endfor %}
    }
{% for i in range(tall) %}
    store_quad(row0 + ty * TALL + {{ i }}u, out0 + tx * 4u, sum{{ i }});
{% endfor %}
}

fn quad_or_zero_x(row: u32, quad: u32) -> vec4f {
    if (quad < QUADS) { return x[row + quad]; }
    return vec4f(0.0);
}
fn quad_or_zero_w(row: u32, quad: u32) -> vec4f {
    if (quad < QUADS) { return weight_quad(row, quad); }
    return vec4f(0.0);
}

fn store_quad(r: u32, local_out: u32, sums: vec4f) {
    if (r >= state.rows) { return; }
    for (var i = 0u; i < 4u; i++) {
        if (local_out + i >= params.outs) { return; }
        let out = params.first_out + local_out + i;
        store(r, out, sums[i]{{ " + bias[out]" if bias }});
    }
}

// y[r, o] = sum_k x[r, k] * weight[o, k] + bias[o] for many rows. A workgroup computes a tile of ROWS x OUTS, a thread
// TALL x 4 elements of it in registers. SPLIT groups of threads share the sum over k of the same tile: with few tiles,
// which keep a GPU waiting for memory, each group has fewer steps. Grid: (tiles of outputs, tiles of rows). Epilogues as
// in matmul_rows.
{% set storage, tile, chunked, uniform_rows = "buffer", 0, false, 0 %}
{% include "forward/common/product.wgsl" %}
{% set side = 16 if split == 1 else 8 %}
const THREADS = 256u;
const SPLIT = {{ split }}u;
const SIDE = {{ side }}u; // a group has SIDE x SIDE threads
const TALL = {{ tall }}u;
const ROWS = SIDE * TALL;
const OUTS = SIDE * 4u;
const DEPTH = 16u; // k of a group per step
const STEP = DEPTH / 4u * SPLIT; // quads of k per step

// k is the outermost index, so that a thread loads its rows, and its outputs, with one vector load. Each row has 4
// words of padding, which reduces bank conflicts between threads that store neighboring quads of k.
const X_STRIDE = (ROWS + 4u) / 4u; // vectors
const W_STRIDE = (OUTS + 4u) / 4u;
const W_FIRST = DEPTH * SPLIT * X_STRIDE;
var<workgroup> tile: array<vec4f, W_FIRST + DEPTH * SPLIT * W_STRIDE>; // of x, then of the matrix

{% set x_loads = (side * tall * 4 * split + 255) // 256 %}
{% set w_loads = side * 4 * 4 * split // 256 %}
{% macro load(step) %}
{% for i in range(x_loads) %}
    next_x{{ i }} = quad_or_zero_x(x_from{{ i }}, {{ step }} + load_quad{{ i }});
{% endfor %}
{% for i in range(w_loads) %}
    next_w{{ i }} = quad_or_zero_w(load_out{{ i }}, {{ step }} + load_quad{{ i }});
{% endfor %}
{% endmacro %}
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    if (state.done != 0u) { return; }
    let row0 = group.y * ROWS;
    if (row0 >= state.rows) { return; }
    let out0 = group.x * OUTS;
    let part = thread / (SIDE * SIDE);
    let tx = thread % SIDE; // quad of outputs
    let ty = thread / SIDE % SIDE; // TALL rows
{% for i in range(w_loads) %}
    let load_row{{ i }} = (thread + {{ i }}u * THREADS) / STEP;
    let load_quad{{ i }} = (thread + {{ i }}u * THREADS) % STEP;
    let load_out{{ i }} = min(out0 + load_row{{ i }}, params.outs - 1u);
    var next_w{{ i }}: vec4f;
{% endfor %}
{% for i in range(x_loads) %}
    let x_from{{ i }} = (row0 + load_row{{ i }} % ROWS) * QUADS;
    var next_x{{ i }}: vec4f;
{% endfor %}
{% for i in range(tall) %}
    var sum{{ i }} = vec4f(0.0);
{% endfor %}
    // Load the values of the next step while those of this one are multiplied.
    {{ load("0u") }}
    for (var step = 0u; step < QUADS; step += STEP) {
        workgroupBarrier();
{% for j in range(4) %}
{% for i in range(x_loads) %}
        if (load_row{{ i }} < ROWS) { tile[(load_quad{{ i }} * 4u + {{ j }}u) * X_STRIDE + load_row{{ i }} / 4u][load_row{{ i }} % 4u] = next_x{{ i }}[{{ j }}]; }
{% endfor %}
{% for i in range(w_loads) %}
        tile[W_FIRST + (load_quad{{ i }} * 4u + {{ j }}u) * W_STRIDE + load_row{{ i }} / 4u][load_row{{ i }} % 4u] = next_w{{ i }}[{{ j }}];
{% endfor %}
{% endfor %}
        workgroupBarrier();
        {{ load("step + STEP") }}
{% for k in range(16) %}
        {
            let depth = part * DEPTH + {{ k }}u;
            let b = tile[W_FIRST + depth * W_STRIDE + tx];
{% if tall == 4 %}
            let a = tile[depth * X_STRIDE + ty];
{% else %}
            let a4 = tile[depth * X_STRIDE + ty / 2u];
            let a = select(a4.xy, a4.zw, ty % 2u == 1u);
{% endif %}
{% for i in range(tall) %}
            sum{{ i }} += a[{{ i }}] * b;
{% endfor %}
        }
{% endfor %}
    }
{% if split == 1 %}
{% for i in range(tall) %}
    store_quad(row0 + ty * TALL + {{ i }}u, out0 + tx * 4u, sum{{ i }});
{% endfor %}
{% else %}
    // Each group adds up the results of one of the TALL rows of a thread.
    let place = thread % (SIDE * SIDE);
    workgroupBarrier();
{% for i in range(tall) %}
    tile[({{ i }}u * SPLIT + part) * SIDE * SIDE + place] = sum{{ i }};
{% endfor %}
    workgroupBarrier();
    if (part < TALL) {
        var sum = vec4f(0.0);
        for (var i = 0u; i < SPLIT; i++) { sum += tile[(part * SPLIT + i) * SIDE * SIDE + place]; }
        store_quad(row0 + ty * TALL + part, out0 + tx * 4u, sum);
    }
{% endif %}
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

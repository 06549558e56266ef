// y[i] = sum_o weight[o, i] * direction[o]: what a value of the matrix's input adds to the logit. A workgroup computes 16
// quads of inputs, 16 threads each quad. A dispatch for each shard; the first one also clears y.
{% import "common/weight.wgsl" as w %}
const QUADS = {{ columns // 4 }}u;
const WIDTH = 16u;
const LANES = 16u;
struct Params {
    first: u32, // row of the matrix that row 0 of this shard is
    rows: u32,  // rows of this shard
    clear: u32, // 1: y is cleared
}
@group(0) @binding(0) var<uniform> params: Params;
{{ w.declare(storage, dtype, columns, tile, 1) }}
@group(0) @binding(2) var<storage, read> direction: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

var<workgroup> partial: array<vec4f, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let quad = group.x * WIDTH + thread % WIDTH;
    let lane = thread / WIDTH;
    var sum = vec4f(0.0);
    if (quad < QUADS) {
        for (var row = lane; row < params.rows; row += LANES) {
            sum += weight_quad(row, quad) * direction[params.first + row];
        }
    }
    partial[thread] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) { partial[thread] += partial[thread + half * WIDTH]; }
    }
    if (lane == 0u && quad < QUADS) { y[quad] = select(y[quad], vec4f(0.0), params.clear == 1u) + partial[thread]; }
}

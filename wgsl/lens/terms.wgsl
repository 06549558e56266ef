// results[slot] = the dot product of a term of the residual stream, a row of an activation or a bias, with the direction.
// One workgroup per term.
{% include "lens/common/token_aim.wgsl" %}
const COLUMNS = {{ columns }}u;
const THREADS = 64u;
struct Term {
    start: u32,  // of row 0, in elements
    stride: u32, // elements from one row to the next; 0 for a bias, which has no rows
    slot: u32,   // in the results
    padding: u32,
}
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<storage, read> terms: array<Term>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> direction: array<f32>;
@group(0) @binding(4) var<storage, read_write> results: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let term = terms[group.x];
    let start = term.start + aim.row * term.stride;
    var sum = 0.0;
    for (var c = thread; c < COLUMNS; c += THREADS) { sum += x[start + c] * direction[c]; }
    partial[thread] = sum;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] += partial[thread + half]; }
    }
    if (thread == 0u) { results[term.slot] = partial[0]; }
}

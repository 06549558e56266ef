// results[slot + h] = the dot product of head h's part of a row with that part of a direction. One workgroup per head.
{% include "lens/common/token_aim.wgsl" %}
const COLUMNS = {{ columns }}u;
const SIZE = {{ size }}u; // of a head
const THREADS = 64u;
struct Params {
    slot: u32, // of the first head in the results
}
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<f32>; // [context, COLUMNS]
@group(0) @binding(3) var<storage, read> direction: array<f32>; // [COLUMNS]
@group(0) @binding(4) var<storage, read_write> results: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    for (var c = thread; c < SIZE; c += THREADS) {
        let at = group.x * SIZE + c;
        sum += x[aim.row * COLUMNS + at] * direction[at];
    }
    partial[thread] = sum;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] += partial[thread + half]; }
    }
    if (thread == 0u) { results[params.slot + group.x] = partial[0]; }
}

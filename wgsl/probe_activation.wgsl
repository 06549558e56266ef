// Copies single float32 values of one buffer to their places. One thread a value.
struct Params { count: u32, padding0: u32, padding1: u32, padding2: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> places: array<vec2u>; // index of the value, place in `found`
@group(0) @binding(2) var<storage, read> values: array<u32>;   // bits, so that no NaN is changed
@group(0) @binding(3) var<storage, read_write> found: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
    if (thread < params.count) { found[places[thread].y] = values[places[thread].x]; }
}

// results[to + i] = results[left + i] * results[right + i] * scale: the terms of a formula. Grid: (threads of terms).
struct Params {
    left: u32,
    right: u32,
    count: u32,
    to: u32,
    scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= params.count) { return; }
    results[params.to + id.x] = results[params.left + id.x] * results[params.right + id.x] * params.scale;
}

// result = a - b, for rows of matrices of the same shape. Grid: (columns in 64s, rows, matrices).
const COLUMNS = {{ columns }}u;
struct Params {
    first: u32, // row
    pitch: u32, // elements from one matrix to the next
    relative: u32,
    padding: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<u32>; // bits of float32
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read_write> result: array<u32>;
{% include "compare/common/difference.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= COLUMNS) { return; }
    let at = id.z * params.pitch + (params.first + id.y) * COLUMNS + id.x;
    result[at] = difference_of(a[at], b[at], params.relative != 0u);
}

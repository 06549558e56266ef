// rows[p * POINTS + i, :] = the residual stream at point i and position p of the chunk. An entry is a point whose
// activation lies in the bound buffer. Grid: (positions, entries).
const QUADS = {{ channels // 4 }}u;
const POINTS = {{ points }}u;
const THREADS = 64u;
{% include "lens/common/aim.wgsl" %}
struct Entry {
    start: u32, // of the activation in its buffer, in vectors
    point: u32,
}
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<storage, read> entries: array<Entry>;
@group(0) @binding(2) var<storage, read> activations: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> rows: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let entry = entries[group.y];
    let row = min(aim.first + group.x, aim.last);
    let to = (group.x * POINTS + entry.point) * QUADS;
    for (var quad = thread; quad < QUADS; quad += THREADS) {
        rows[to + quad] = activations[entry.start + row * QUADS + quad];
    }
}

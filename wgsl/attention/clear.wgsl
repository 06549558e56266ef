// Zeroes the rows of every tile from `first` on. Grid: (heads, rows to clear).
const TILE = {{ tile }}u;
@group(0) @binding(0) var<uniform> first: vec4u;
@group(0) @binding(1) var<storage, read_write> tiles: array<u32>; // [heads, TILE, TILE]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let start = (group.x * TILE + first.x + group.y) * TILE;
    for (var t = thread; t < TILE; t += 64u) { tiles[start + t] = 0u; }
}

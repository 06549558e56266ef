// Paints cells of the strip atlas, one workgroup a tile of up to 64 consecutive cells of one span (or of no span).
{% include "common/numbers.wgsl" %}
{% include "common/strip_table.wgsl" %}
{% include "common/strip_index.wgsl" %}
{% include "common/strip_colour.wgsl" %}
const WIDTH = {{ width }}u;
const TENSORS = {{ tensors }}u;
const EMPTY = 0xffffffffu;
struct Tile {
    entry: u32, // index of the span's tensor, or EMPTY
    first: u32, // first cell of the tile
    count: u32, // its cells
    padding: u32,
}
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> entries: array<Entry>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> peaks: array<f32>;
@group(0) @binding(5) var<uniform> look: Look;
@group(0) @binding(4) var atlas: texture_storage_2d<rgba8unorm, write>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let tile = tiles[group.x];
    if (thread >= tile.count) { return; }
    let cell = tile.first + thread;
    var colour = vec4f(0.025, 0.035, 0.055, 1.0);
    if (tile.entry != EMPTY) {
        let entry = entries[tile.entry];
        let index = source_index(cell - entry.first, entry.cells, entry.rows * entry.columns);
        let peak = peaks[select(entry.slot, TENSORS, look.all_tensors == 1u)];
        colour = strip_colour(values[entry.offset + index], peak, look);
    }
    textureStore(atlas, vec2u(cell % WIDTH, cell / WIDTH), colour);
}

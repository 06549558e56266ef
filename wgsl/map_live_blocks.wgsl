// Extremes of the blocks of activations that changed, into the map's pyramid. Grid: (tiles, tensors); one thread a tile.
{% include "common/map_key.wgsl" %}
{% include "common/map_place.wgsl" %}
const BASE = {{ base }}u; // cells a finest block is wide
struct Entry {
    place: Place,
    offset: u32,     // first value in the source, in elements
    stride: u32,     // elements from row to row
    tiles_x: u32,    // tiles to do across
    first_tile: u32, // of a line of bands: the first and the number of the tiles to do down
    tiles_y: u32,
    lines: u32,
    padding0: u32,
    padding1: u32,
}
@group(0) @binding(0) var<storage, read> entries: array<Entry>;
@group(0) @binding(1) var<storage, read> values: array<{{ "vec4f" if wide else "f32" }}>;
@group(0) @binding(2) var pyramid: texture_storage_2d<r32uint, write>;
var<private> entry: Entry;
{% include "common/map_tile.wgsl" %}

fn value_quad(index: u32) -> vec4f {
{% if wide %}
    return values[index / 4u];
{% else %}
    return vec4f(values[index], values[index + 1u], values[index + 2u], values[index + 3u]);
{% endif %}
}

fn block_key(block: vec2u) -> u32 {
    var key = NO_CELL;
    for (var y = 0u; y < BASE; y++) {
        for (var x = 0u; x < BASE; x += 4u) {
            let found = find(entry.place, block.x * BASE + x, block.y * BASE + y);
            if (!found.inside) { continue; }
            key = max(key, KEPT_FREE);
            if (!found.seen) { continue; }
            let quad = found.column / 4u * 4u;
            let four = value_quad(entry.offset + found.row * entry.stride + quad);
            for (var k = found.column - quad; k < min(4u, found.column - quad + BASE); k++) {
                if (quad + k < entry.place.seen_columns) { key = max(key, extreme_key(four[k])); }
            }
        }
    }
    return key;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    entry = entries[id.y];
    let down = id.x / entry.tiles_x;
    if (down >= entry.tiles_y * entry.lines) { return; }
    let line = down / entry.tiles_y;
    let tile = vec2u(
        id.x % entry.tiles_x,
        line * (entry.place.pitch_y / (8u * BASE)) + entry.first_tile + down % entry.tiles_y,
    );
    make_tile(vec2u(entry.place.x, entry.place.y) / (8u * BASE), tile);
}

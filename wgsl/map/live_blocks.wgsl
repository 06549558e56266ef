// Writes the extremes of blocks of changed activations to Map's pyramid.
// Grid: (tiles, tensors); one thread per tile, or with `together` one workgroup.
{% import "map/common/center.wgsl" as centers %}
{% include "common/numbers.wgsl" %}
{% include "map/common/key.wgsl" %}
{% include "map/common/placement.wgsl" %}
const BASE = {{ base }}u; // width of a finest block, in units
struct Entry {
    placement: Placement,
    offset: u32,     // first value in the source, in elements
    stride: u32,     // elements from one row to the next
    tiles_x: u32,    // tiles to update across
    first_tile: u32, // first row of tiles to update in each line of bands
    tiles_y: u32,    // rows of tiles to update in each line of bands
    lines: u32,      // lines of bands
    last_columns: u32, // values in the last row
    first_tile_x: u32, // first tile to update across
}
@group(0) @binding(0) var<storage, read> entries: array<Entry>;
@group(0) @binding(1) var<storage, read> values: array<{{ "vec4f" if wide else "f32" }}>;
@group(0) @binding(2) var pyramid: texture_storage_2d<r32uint, write>;
{{ centers.declare(centered, 3) }}
var<private> entry: Entry;
{% include "map/common/tile.wgsl" %}

fn value_quad(index: u32) -> vec4f {
{% if wide %}
    return values[index / 4u];
{% else %}
    return vec4f(values[index], values[index + 1u], values[index + 2u], values[index + 3u]);
{% endif %}
}

fn block_key(low: vec2u, end: vec2u) -> u32 {
    let last = entry.placement.rows - 1u - part.row; // the tensor's last row, relative to the tile
    let wide = entry.last_columns - min(entry.last_columns, part.column);
    if (any(low >= part.inside) || (low.y == last && low.x >= wide)) { return NO_CELL; }
    var key = KEPT_FREE;
    let filled = min(end, part.filled);
    for (var y = low.y; y < filled.y; y++) {
        let first = entry.offset + (part.row + y) * entry.stride;
        let end_x = part.column + select(filled.x, min(filled.x, wide), y == last);
        // With large cells, a tile may begin within a group of four.
        for (var x = part.column + low.x; x < end_x; x = x / 4u * 4u + 4u) {
            let quad = x / 4u * 4u;
            let four = value_quad(first + quad);
            for (var k = x - quad; k < min(4u, x - quad + BASE); k++) {
                if (quad + k < end_x) { key = max(key, extreme_key(relative(four[k]))); }
            }
        }
    }
    return key;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    entry = entries[group.y];
    let number = {{ "group.x" if together else "group.x * 64u + thread" }};
    let down = number / entry.tiles_x;
    if (down >= entry.tiles_y * entry.lines) { return; }
    let line = down / entry.tiles_y;
    let tile = vec2u(
        entry.first_tile_x + number % entry.tiles_x,
        line * (entry.placement.pitch_y / (8u * BASE)) + entry.first_tile + down % entry.tiles_y,
    );
    part = part_of(entry.placement, tile);
    make_tile(vec2u(entry.placement.x, entry.placement.y) / (8u * BASE), tile{{ ", thread" if together }});
}

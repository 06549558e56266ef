// Extremes of the blocks of one piece of a weight, into the map's pyramid. Grid: tiles of the weight, across and down.
{% import "common/weight.wgsl" as w %}
{% include "common/map_key.wgsl" %}
{% include "common/map_place.wgsl" %}
const BASE = {{ base }}u; // cells a finest block is wide
struct Params {
    place: Place,
    first_row: u32, // row of the matrix that row 0 of this piece is
    end_row: u32,   // row after its last
}
@group(0) @binding(0) var<uniform> params: Params;
{{ w.declare(storage, dtype, columns, tile, 1) }}
@group(0) @binding(2) var pyramid: texture_storage_2d<r32uint, write>;
{% include "common/map_tile.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let place = params.place;
    let corner = find(place, group.x * 8u * BASE, group.y * 8u * BASE);
    // A tile has rows of one piece only.
    if (!corner.inside || corner.row < params.first_row || corner.row >= params.end_row) { return; }
    let cell = (group.xy * 8u + vec2u(thread % 8u, thread / 8u)) * BASE;
    var key = NO_CELL;
    for (var y = 0u; y < BASE; y++) {
        for (var x = 0u; x < BASE; x += 4u) {
            let found = find(place, cell.x + x, cell.y + y);
            if (!found.seen) { continue; }
            let four = weight_quad(found.row - params.first_row, found.column / 4u);
            for (var k = 0u; k < min(4u, BASE); k++) { key = max(key, extreme_key(four[found.column % 4u + k])); }
        }
    }
    store_tile(vec2u(place.x, place.y) / (8u * BASE) + group.xy, thread, key);
}

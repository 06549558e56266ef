// Extremes of the blocks of a part of one piece of a weight, into the map's pyramid. One thread a tile.
{% import "map/common/values.wgsl" as values %}
{% include "map/common/key.wgsl" %}
{% include "map/common/placement.wgsl" %}
const BASE = {{ base }}u; // cells a finest block is wide
struct Params {
    placement: Placement,
    first_row: u32, // row of the matrix that row 0 of this piece is
    end_row: u32,   // row after its last
    tiles_x: u32,   // tiles of the weight
    tiles_y: u32,
    packs: u32,     // of a row of values, see map/common/values.wgsl
    tile: u32,      // width of a texture of values, in rows
    first_tile: u32, // of the part
    padding: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
{{ values.declare(storage, dtype, 1) }}
@group(0) @binding(2) var pyramid: texture_storage_2d<r32uint, write>;
{% include "map/common/tile.wgsl" %}

fn block_key(at: vec2u) -> u32 {
    var key = NO_CELL;
    let end = min(at + BASE, part.inside);
    for (var y = at.y; y < end.y; y++) {
        for (var x = at.x; x < end.x; x += 4u) {
            let four = weight_quad(part.row - params.first_row + y, (part.column + x) / 4u);
            for (var k = 0u; k < min(4u, BASE); k++) { key = max(key, extreme_key(four[x % 4u + k])); }
        }
    }
    return key;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let number = params.first_tile + id.x;
    let tile = vec2u(number % params.tiles_x, number / params.tiles_x);
    if (tile.y >= params.tiles_y) { return; }
    part = part_of(params.placement, tile);
    // A tile has rows of one piece only.
    if (part.inside.x == 0u || part.row < params.first_row || part.row >= params.end_row) { return; }
    make_tile(vec2u(params.placement.x, params.placement.y) / (8u * BASE), tile);
}

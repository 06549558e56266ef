// Writes the extremes of blocks in a part of one shard of a weight to Map's pyramid. One thread per tile.
{% import "common/values.wgsl" as values %}
{% include "map/common/key.wgsl" %}
{% include "map/common/placement.wgsl" %}
const BASE = {{ base }}u; // width of a finest block, in units
struct Params {
    placement: Placement,
    first_row: u32, // matrix row of the shard's row 0
    end_row: u32,   // matrix row after the shard's last
    tiles_x: u32,   // tiles of the weight, across and down
    tiles_y: u32,
    packs: u32,     // packs per row of values, see common/values.wgsl
    tile: u32,      // width of a weight texture, in matrix rows
    first_tile: u32, // first tile of the part
    padding: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
{{ values.declare(storage, dtype, "params.placement.columns", 1) }}
@group(0) @binding(2) var pyramid: texture_storage_2d<r32uint, write>;
{% set together = false %}
{% include "map/common/tile.wgsl" %}

fn block_key(low: vec2u, end: vec2u) -> u32 {
    var key = NO_CELL;
    let inside = min(end, part.inside);
    for (var y = low.y; y < inside.y; y++) {
        for (var x = low.x; x < inside.x; x += 4u) {
            let four = weight_quad(part.row - params.first_row + y, (part.column + x) / 4u);
            for (var k = 0u; k < min(4u, inside.x - x); k++) { key = max(key, extreme_key(four[x % 4u + k])); }
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
    // All rows of a tile are in the same shard.
    if (part.inside.x == 0u || part.row < params.first_row || part.row >= params.end_row) { return; }
    make_tile(vec2u(params.placement.x, params.placement.y) / (8u * BASE), tile);
}

// Paints tiles of Map from its pyramid: a pixel shows the most extreme block under it. A workgroup per tile of 8 x 8
// pixels, a thread per pixel.
{% include "common/numbers.wgsl" %}
{% include "map/common/key.wgsl" %}
{% include "strip/common/color.wgsl" %}
@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<uniform> peaks: array<vec4f, {{ tensors // 4 + 1 }}>;
@group(0) @binding(8) var<uniform> ranges: array<vec4f, {{ tensors }}>;
{% include "map/common/frame.wgsl" %}
// For each column (row 0) and each row (row 1) of pixels: the first block and the block after the last.
@group(0) @binding(2) var axes: texture_2d<u32>;
@group(0) @binding(3) var pyramid: texture_2d<u32>;
@group(0) @binding(4) var owners: texture_2d<u32>; // for each tile: 1 + index of its tensor, 0 for none; the tile in the pyramid
@group(0) @binding(5) var picture: texture_storage_2d<rgba8unorm, write>;
@group(0) @binding(6) var<storage, read> tiles: array<u32>; // to paint: column and, in the upper half, row

fn tile_of(block: vec2u) -> vec4u { return textureLoad(owners, block >> vec2u(frame.level_shift), 0); }
// The way to the texel of `block`, which is in this tile, and to those of all blocks of the same tensor. Modulo 2^32.
fn offset_of(tile: vec4u, block: vec2u) -> vec2u {
    let shift = vec2u(frame.level_shift);
    return vec2u(frame.level_x, frame.level_y) + ((tile.yz - (block >> shift)) << shift);
}
fn key_at(texel: vec2u) -> u32 { return textureLoad(pyramid, texel, 0).x; }

// The key of the value that a pixel shows, and the index of its tensor.
struct Shown {
    key: u32,
    slot: u32,
}

// The most extreme of the blocks from `low`, which is in `tile`, to `high`: all belong to one tensor or its gaps.
fn most_inside(tile: vec4u, low: vec2u, high: vec2u) -> Shown {
    // Most pixels are at most two blocks wide and high. Loading a block twice is faster than counting them.
    let offset = offset_of(tile, low);
    let first = low + offset;
    let last = high + offset;
    var key = max(
        max(key_at(first), key_at(vec2u(last.x, first.y))),
        max(key_at(vec2u(first.x, last.y)), key_at(last)),
    );
    if (any(last > first + 1u)) {
        for (var y = first.y; y <= last.y; y++) {
            for (var x = first.x; x <= last.x; x++) { key = max(key, key_at(vec2u(x, y))); }
        }
    }
    return Shown(key, tile.x - 1u);
}

// The magnitude that has the brightest color in a tensor.
fn brightest(slot: u32) -> f32 {
    return select(peak_of(slot, frame.mapping), frame.mapping.high, frame.mapping.high > 0.0);
}

// The brightest block from `low` to `high`, which may belong to several tensors.
fn most_of_several(low: vec2u, high: vec2u) -> Shown {
    var most = Shown(NO_CELL, 0u);
    var rank = -1.0;
    for (var y = low.y; y <= high.y; y++) {
        for (var x = low.x; x <= high.x; x++) {
            let block = vec2u(x, y);
            let tile = tile_of(block);
            let owner = tile.x;
            if (owner == 0u) { continue; }
            let key = key_at(block + offset_of(tile, block));
            if (key <= KEPT_FREE) {
                most.key = max(most.key, key);
                continue;
            }
            // Non-finite values rank above all others; among themselves, their keys decide.
            let value = extreme_value(key);
            let own = select(1e9, abs(value) / brightest(owner - 1u), is_finite(value));
            if (own > rank || (own == rank && key > most.key)) {
                rank = own;
                most = Shown(key, owner - 1u);
            }
        }
    }
    return most;
}

@compute @workgroup_size(8, 8)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_id) thread: vec3u,
) {
    let number = group.x + group.y * groups.x;
    if (number >= arrayLength(&tiles)) { return; }
    let id = 8u * vec2u(tiles[number] & 0xffffu, tiles[number] >> 16u) + thread.xy;
    if (id.x >= frame.width || id.y >= frame.height) { return; }
    let across = textureLoad(axes, vec2u(id.x, 0u), 0);
    let down = textureLoad(axes, vec2u(id.y, 1u), 0);
    var color = vec4f(frame.mapping.ground.rgb, 0.0); // the scene shows what is behind
    if (across.x < across.y && down.x < down.y) {
        let low = vec2u(across.x, down.x);
        let high = vec2u(across.y, down.y) - 1u;
        // Tensors are rectangles: a tensor with two opposite corners also has everything between them. If blocks are
        // smaller than a tile, a pixel has at most two per axis, so they lie on the tiles of its four corners.
        let tile = tile_of(low);
        let owner = tile.x;
        let other = tile_of(high).x;
        var shown = Shown(NO_CELL, 0u);
        if (owner != 0u && owner == other) {
            shown = most_inside(tile, low, high);
        } else if (frame.level_shift == 0u || owner + other + tile_of(vec2u(low.x, high.y)).x
            + tile_of(vec2u(high.x, low.y)).x > 0u) {
            shown = most_of_several(low, high);
        }
        if (shown.key == KEPT_FREE) { color = frame.mapping.unfilled; }
        if (shown.key > KEPT_FREE) {
            let range = ranges[shown.slot].xy;
            color = strip_color(extreme_value(shown.key), peak_of(shown.slot, frame.mapping), range, frame.mapping);
        }
    }
    textureStore(picture, id, color);
}

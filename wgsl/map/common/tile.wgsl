{# A tile of the pyramid: 8 x 8 blocks of the finest level, and the blocks above them that are 2, 4 and 8 times as wide.
   together: a workgroup of 64 threads makes a tile, each of them a block of the finest level. Otherwise one thread makes
   a whole tile: on software adapters a barrier would cost more than everything else.
   Needs `pyramid`, a texture_storage_2d<r32uint, write>; BASE, the width of a finest block in units; and
   `fn block_key(low: vec2u, end: vec2u) -> u32`, the key of the values from `low` up to `end`, relative to the value in
   the tile's corner. #}
// The part of a tensor in a tile. A tile never contains two bands, so its corner determines the part.
struct Part {
    row: u32, // of the value in the corner
    column: u32,
    inside: vec2u, // values across and down that belong to the tensor
    filled: vec2u, // values across and down that are filled
    shift: vec2u,  // log2 of the size of a cell
}
var<private> part: Part;
// max(a - b, 0)
fn less(a: vec2u, b: vec2u) -> vec2u { return a - min(a, b); }
fn part_of(placement: Placement, tile: vec2u) -> Part {
    let location = locate(placement, tile.x * 8u * BASE, tile.y * 8u * BASE);
    let at = vec2u(location.column % placement.band_columns, location.row % placement.band_rows);
    let band = less(vec2u(placement.band_columns, placement.band_rows), at);
    let whole = less(vec2u(placement.columns, placement.rows), vec2u(location.column, location.row));
    let inside = select(vec2u(0u), min(band, whole), location.inside);
    let filled = less(vec2u(placement.filled_columns, placement.filled_rows), vec2u(location.column, at.y));
    let shift = vec2u(placement.shift_x, placement.shift_y);
    return Part(location.row, location.column, inside, min(inside, filled), shift);
}

// The corner of a level in the texture. The coarser levels are side by side below the finest one, in half its height.
fn level_corner(level: u32) -> vec2u {
    if (level == 0u) { return vec2u(0u); }
    let size = textureDimensions(pyramid);
    return vec2u(size.x - (size.x >> (level - 1u)), size.y / 3u * 2u);
}
fn store_block(level: u32, block: vec2u, key: u32) { textureStore(pyramid, level_corner(level) + block, vec4u(key)); }
fn quarter(i: u32) -> vec2u { return vec2u(i % 2u, i / 2u); }

// The key of the values whose cells contain a block of the finest level or are part of it. block: within the tile.
fn key_at(block: vec2u) -> u32 {
    let at = block * BASE;
    return block_key(at >> part.shift, (at + BASE + (vec2u(1u) << part.shift) - 1u) >> part.shift);
}

{% if together %}
var<workgroup> keys: array<u32, 64>; // of the blocks, those of a coarser block side by side

// Writes all blocks of a tile. `corner` is the first tile of the placement, and `tile` is relative to it.
fn make_tile(corner: vec2u, tile: vec2u, thread: u32) {
    let half = tile * 2u + quarter(thread / 16u);
    let pair = half * 2u + quarter(thread / 4u % 4u);
    let block = pair * 2u + quarter(thread % 4u);
    let key = key_at(block - tile * 8u);
    store_block(0u, corner * 8u + block, key);
    keys[thread] = key;
{% for step, level, place in [(1, 1, "corner * 4u + pair"), (4, 2, "corner * 2u + half"), (16, 3, "corner + tile")] %}
    workgroupBarrier();
    if (thread % {{ 4 * step }}u == 0u) {
        let coarser = max(
            max(keys[thread], keys[thread + {{ step }}u]), max(keys[thread + {{ 2 * step }}u], keys[thread + {{ 3 * step }}u])
        );
        store_block({{ level }}u, {{ place }}, coarser);
        keys[thread] = coarser;
    }
{% endfor %}
}
{% else %}
// Writes all blocks of a tile. `corner` is the first tile of the placement, and `tile` is relative to it.
fn make_tile(corner: vec2u, tile: vec2u) {
    var whole = NO_CELL;
    for (var i = 0u; i < 4u; i++) {
        let half = tile * 2u + quarter(i);
        var half_key = NO_CELL;
        for (var j = 0u; j < 4u; j++) {
            let pair = half * 2u + quarter(j);
            var pair_key = NO_CELL;
            for (var k = 0u; k < 4u; k++) {
                let block = pair * 2u + quarter(k);
                let key = key_at(block - tile * 8u);
                store_block(0u, corner * 8u + block, key);
                pair_key = max(pair_key, key);
            }
            store_block(1u, corner * 4u + pair, pair_key);
            half_key = max(half_key, pair_key);
        }
        store_block(2u, corner * 2u + half, half_key);
        whole = max(whole, half_key);
    }
    store_block(3u, corner + tile, whole);
}
{% endif %}

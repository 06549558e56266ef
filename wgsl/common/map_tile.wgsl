{# A tile of the pyramid: 8 x 8 blocks of the finest level, and the blocks of 2, 4 and 8 times the width over them.
   Needs `pyramid`, a texture_storage_2d<r32uint, write>; values: width, height of the finest level in blocks. #}
const LEVEL_0 = vec2u({{ width }}u, {{ height }}u);
// Corner of a level in the texture: the coarser ones lie side by side below the finest.
fn level_corner(level: u32) -> vec2u {
    if (level == 0u) { return vec2u(0u); }
    return vec2u(LEVEL_0.x - (LEVEL_0.x >> (level - 1u)), LEVEL_0.y);
}

var<workgroup> keys: array<u32, 64>;

// `key` is that of the block of this thread, 8 to a row.
fn store_tile(tile: vec2u, thread: u32, key: u32) {
    keys[thread] = key;
    textureStore(pyramid, tile * 8u + vec2u(thread % 8u, thread / 8u), vec4u(key));
    var side = 8u;
    for (var level = 1u; level < 4u; level++) {
        let half = side / 2u;
        workgroupBarrier();
        var most = 0u;
        let at = vec2u(thread % half, thread / half);
        if (thread < half * half) {
            let first = at.y * 2u * side + at.x * 2u;
            most = max(max(keys[first], keys[first + 1u]), max(keys[first + side], keys[first + side + 1u]));
        }
        workgroupBarrier();
        if (thread < half * half) {
            keys[thread] = most;
            textureStore(pyramid, level_corner(level) + tile * half + at, vec4u(most));
        }
        side = half;
    }
}

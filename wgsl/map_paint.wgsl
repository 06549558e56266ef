// Paints the map from its pyramid: a pixel shows the most extreme block under it. One thread a pixel.
{% include "common/numbers.wgsl" %}
{% include "common/map_key.wgsl" %}
{% include "common/strip_colour.wgsl" %}
@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<uniform> peaks: array<vec4f, {{ tensors // 4 + 1 }}>;
{% include "common/map_frame.wgsl" %}
// Of each column (row 0) and each row (row 1) of pixels: first block, block after the last.
@group(0) @binding(2) var axes: texture_2d<u32>;
@group(0) @binding(3) var pyramid: texture_2d<u32>;
@group(0) @binding(4) var owners: texture_2d<u32>; // of each tile: 1 + number of its tensor, 0 for none
@group(0) @binding(5) var picture: texture_storage_2d<rgba8unorm, write>;

fn owner_of(block: vec2u) -> u32 { return textureLoad(owners, block >> vec2u(frame.level_shift), 0).x; }
fn key_of(block: vec2u) -> u32 { return textureLoad(pyramid, vec2u(frame.level_x, frame.level_y) + block, 0).x; }

// Colour of the most extreme of blocks from `low` to `high`, all of the tensor `owner` or in a gap of it.
fn inside_colour(owner: u32, low: vec2u, high: vec2u) -> vec4f {
    // A pixel is mostly up to two blocks wide and high; to load one twice is faster than to count.
    var key = max(
        max(key_of(low), key_of(vec2u(high.x, low.y))),
        max(key_of(vec2u(low.x, high.y)), key_of(high)),
    );
    if (any(high > low + 1u)) {
        for (var y = low.y; y <= high.y; y++) {
            for (var x = low.x; x <= high.x; x++) { key = max(key, key_of(vec2u(x, y))); }
        }
    }
    if (key == NO_CELL) { return GROUND; }
    if (key == KEPT_FREE) { return KEPT; }
    return strip_colour(extreme_value(key), peak_of(owner - 1u, frame.look), frame.look);
}

// The same where several tensors may be: the brightest of them.
fn edge_colour(low: vec2u, high: vec2u) -> vec4f {
    var colour = GROUND;
    var most = NO_CELL;
    var rank = -1.0;
    for (var y = low.y; y <= high.y; y++) {
        for (var x = low.x; x <= high.x; x++) {
            let owner = owner_of(vec2u(x, y));
            if (owner == 0u) { continue; }
            let key = key_of(vec2u(x, y));
            if (key == KEPT_FREE && most == NO_CELL) { colour = KEPT; }
            if (key <= KEPT_FREE) { continue; }
            // What is not finite wins over everything, and among itself by its key.
            let peak = peak_of(owner - 1u, frame.look);
            let value = extreme_value(key);
            let own = select(1e9, abs(value) / peak, is_finite(value));
            if (own > rank || (own == rank && key > most)) {
                rank = own;
                most = key;
                colour = strip_colour(value, peak, frame.look);
            }
        }
    }
    return colour;
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= frame.width || id.y >= frame.height) { return; }
    let across = textureLoad(axes, vec2u(id.x, 0u), 0);
    let down = textureLoad(axes, vec2u(id.y, 1u), 0);
    var colour = GROUND;
    if (across.x < across.y && down.x < down.y) {
        let low = vec2u(across.x, down.x);
        let high = vec2u(across.y, down.y) - 1u;
        // Tensors are rectangles: one that has two opposite corners has what is between them.
        let owner = owner_of(low);
        if (owner != 0u && owner == owner_of(high)) {
            colour = inside_colour(owner, low, high);
        } else {
            colour = edge_colour(low, high);
        }
    }
    textureStore(picture, id.xy, colour);
}

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

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= frame.width || id.y >= frame.height) { return; }
    let across = textureLoad(axes, vec2u(id.x, 0u), 0);
    let down = textureLoad(axes, vec2u(id.y, 1u), 0);
    let corner = vec2u(frame.level_x, frame.level_y);
    var colour = GROUND;
    var most = 0u;   // key of the value that is shown
    var rank = -1.0; // its brightness
    for (var y = down.x; y < down.y; y++) {
        for (var x = across.x; x < across.y; x++) {
            let owner = textureLoad(owners, vec2u(x, y) >> vec2u(frame.level_shift), 0).x;
            if (owner == 0u) { continue; }
            if (most == 0u) { colour = KEPT; }
            let key = textureLoad(pyramid, corner + vec2u(x, y), 0).x;
            if (key == 0u) { continue; }
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
    textureStore(picture, id.xy, colour);
}

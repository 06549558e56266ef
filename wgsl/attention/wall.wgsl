// Paints the tiles of all heads, `columns` side by side. Each pixel shows the largest weight of the cells under it.
// Without `pooled` a cell has at least one pixel. difference: minus those of another pass. There is a position for each tile of the whole picture.
const TILE = {{ tile }}u;
const NONE = 0xffffffffu;
{% include "common/numbers.wgsl" %}
struct Params {
    width: u32, // of the picture, in pixels
    height: u32,
    columns: u32,
    positions: u32,
    pitch_x: u32, // pixels from one tile to the next
    pitch_y: u32,
    side: u32,  // of a tile, in pixels
    cells: u32, // of a tile that have values, per side
}
{% include "attention/common/color.wgsl" %}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> colors: Colors;
@group(0) @binding(2) var<storage, read> order: array<u32>; // the head in each position, NONE without one
@group(0) @binding(3) var<storage, read> tiles: array<f32>; // [heads, TILE, TILE]
@group(0) @binding(4) var picture: texture_storage_2d<rgba8unorm, write>;
{% if difference %}
@group(0) @binding(5) var<storage, read> other_tiles: array<f32>; // of the other pass
{% include "compare/common/difference.wgsl" %}
fn cell(at: u32) -> f32 {
    return bitcast<f32>(difference_of(bitcast<u32>(tiles[at]), bitcast<u32>(other_tiles[at]), {{ "true" if relative else "false" }}));
}
fn cell_color(value: f32) -> vec4f { return difference_color(value, 1.0); }
{% else %}
fn cell(at: u32) -> f32 { return tiles[at]; }
fn cell_color(value: f32) -> vec4f { return weight_color(value); }
{% endif %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) pixel: vec3u) {
    if (pixel.x >= params.width || pixel.y >= params.height) { return; }
    let column = pixel.x / params.pitch_x;
    let slot = min(pixel.y / params.pitch_y * params.columns + column, params.positions - 1u);
    let inside = vec2u(pixel.x - column * params.pitch_x, pixel.y % params.pitch_y);
    var color = vec4f(0.0);
    if (column < params.columns && max(inside.x, inside.y) < params.side && order[slot] != NONE) {
        let first = inside * params.cells / params.side;
        let start = order[slot] * TILE * TILE;
        color = colors.later;
{% if pooled %}
        let end = max(first + 1u, (inside + 1u) * params.cells / params.side);
        var most = 0u;
        var chosen = 0.0;
        for (var row = first.y; row < end.y; row++) {
            for (var key = first.x; key < min(end.x, row + 1u); key++) {
                let value = cell(start + row * TILE + key);
                let size = bitcast<u32>(value) & 0x7fffffffu; // the bits sort like magnitudes, with NaN as the largest
                if (size > most) {
                    most = size;
                    chosen = value;
                }
            }
        }
        if (first.x < end.y) { color = cell_color(chosen); }
{% else %}
        if (first.x <= first.y) { color = cell_color(cell(start + first.y * TILE + first.x)); }
{% endif %}
    }
    textureStore(picture, pixel.xy, color);
}

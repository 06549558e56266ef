// Paints one tensor's part of Map from its values, for views with few cells per pixel or with large cells, which have
// borders and, with `digits`, show their values as text. One thread per pixel. Gaps stay unchanged.
{% import "common/values.wgsl" as values %}
{% import "map/common/center.wgsl" as centers %}
{% include "common/numbers.wgsl" %}
{% include "map/common/key.wgsl" %}
{% include "map/common/placement.wgsl" %}
{% include "strip/common/color.wgsl" %}
struct Params {
    placement: Placement, // on the plane whose unit is this tensor's cell
    first_row: u32, // matrix row of the shard's row 0
    end_row: u32,   // matrix row after the shard's last
    slot: u32,      // index of the tensor
    packs: u32,     // packs per row of values, see common/values.wgsl
    left: u32,      // bounds of the pixels that may show it
    top: u32,
    right: u32,
    bottom: u32,
    tile: u32,      // width of a weight texture, in matrix rows
    axis_x: u32,    // rows of `axes` for the width and the height of this tensor's cells
    axis_y: u32,
    border: f32,    // opacity of cell borders, 0 to 1
    ink: f32,       // opacity of digits, 0 to 1
    figures: u32,   // significant digits
    glyph_size: u32, // pixels: width, and height in the upper 16 bits
    glyph_top: u32, // first row of this glyph size in the texture
}
@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<uniform> peaks: array<vec4f, {{ tensors // 4 + 1 }}>;
@group(0) @binding(8) var<uniform> ranges: array<vec4f, {{ tensors }}>;
{% include "map/common/frame.wgsl" %}
@group(0) @binding(2) var<uniform> params: Params;
// For each column or row of pixels, a row of the texture for each size of cells: the first cell and the cell after the
// last; for a cell larger than a pixel, also the index of the pixel within the cell, and the cell's size in pixels.
@group(0) @binding(3) var axes: texture_2d<u32>;
{{ values.declare(storage, dtype, "params.placement.columns", 4) }}
{{ centers.declare(centered, 9) }}
@group(0) @binding(5) var picture: texture_storage_2d<rgba8unorm, write>;
{% if digits %}
@group(0) @binding(6) var glyphs: texture_2d<f32>;
@group(0) @binding(7) var<uniform> powers: array<vec4u, 96>;
{% include "map/common/digits.wgsl" %}

// The coverage, 0 to 1, of the value's text at pixel `at` of a cell of `size` pixels.
fn text_coverage(value: f32, at: vec2u, size: vec2u) -> f32 {
    let wide = params.glyph_size & 0xffffu;
    let high = params.glyph_size >> 16u;
    let top = (size.y - min(size.y, high)) / 2u;
    if (at.y < top || at.y >= top + high) { return 0.0; }
    let number = number_of(value, params.figures);
    let left = (size.x - min(size.x, number.length * wide)) / 2u;
    if (at.x < left || at.x >= left + number.length * wide) { return 0.0; }
    let x = at.x - left;
    let glyph = glyph_of(number, x / wide);
    let texel = vec2u(glyph * wide + x % wide, params.glyph_top + at.y - top);
    return textureLoad(glyphs, texel, 0).x;
}
{% include "map/common/ink.wgsl" %}
{% endif %}

// The key of the most extreme value in these rows and columns.
fn extreme_of(first_row: u32, last_row: u32, first_column: u32, last_column: u32) -> u32 {
    var most = NO_CELL;
    for (var row = first_row; row <= last_row; row++) {
        for (var quad = first_column / 4u; quad <= last_column / 4u; quad++) {
            let four = weight_quad(row - params.first_row, quad);
            for (var k = 0u; k < 4u; k++) {
                let column = quad * 4u + k;
                if (column >= first_column && column <= last_column) { most = max(most, extreme_key(relative(four[k]))); }
            }
        }
    }
    return most;
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let pixel = vec2u(params.left, params.top) + id.xy;
    if (pixel.x >= params.right || pixel.y >= params.bottom) { return; }
    let placement = params.placement;
    let across = textureLoad(axes, vec2u(pixel.x, params.axis_x), 0);
    let down = textureLoad(axes, vec2u(pixel.y, params.axis_y), 0);
    let low = max(vec2u(across.x, down.x), vec2u(placement.x, placement.y)) - vec2u(placement.x, placement.y);
    let end = vec2u(across.y, down.y) - min(vec2u(across.y, down.y), vec2u(placement.x, placement.y));
    if (any(low >= end)) { return; }
    let first = locate(placement, low.x, low.y);
    var last = first;
    if (any(end - low > vec2u(1u))) { last = locate(placement, end.x - 1u, end.y - 1u); }
    var most = NO_CELL;
    let one_band = first.inside && last.inside
        && all(vec2u(last.column - first.column, last.row - first.row) == end - low - 1u);
    if (one_band && first.filled == last.filled) {
        if (first.row < params.first_row || last.row >= params.end_row) { return; }
        most = KEPT_FREE;
        if (first.filled) { most = extreme_of(first.row, last.row, first.column, last.column); }
    } else {
        for (var y = low.y; y < end.y; y++) {
            for (var x = low.x; x < end.x; x++) {
                let location = locate(placement, x, y);
                if (!location.inside || location.row < params.first_row || location.row >= params.end_row) { continue; }
                most = max(most, KEPT_FREE);
                if (location.filled) {
                    most = max(most, extreme_of(location.row, location.row, location.column, location.column));
                }
            }
        }
    }
    if (most == NO_CELL) { return; }
    var color = frame.mapping.unfilled;
    if (most != KEPT_FREE) {
        let value = extreme_value(most);
        color = strip_color(value, peak_of(params.slot, frame.mapping), ranges[params.slot].xy, frame.mapping);
{% if digits %}
        // A pixel of a cell with digits shows this cell alone. The digits are those of the value itself.
        let number = {{ "weight_quad(first.row - params.first_row, first.column / 4u)[first.column % 4u]" if centered else "value" }};
        let coverage = params.ink * text_coverage(number, vec2u(across.z, down.z), vec2u(across.w, down.w));
        if (coverage > 0.0) { color = mix(color, ink_on(color), coverage); }
{% endif %}
    }
    if (params.border > 0.0 && (across.z == 0u || down.z == 0u)) { color = mix(color, frame.mapping.ground, params.border); }
    textureStore(picture, pixel, color);
}

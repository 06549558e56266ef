{# What all dispatches of a frame of the map share. Needs strip_color.wgsl; values: peaks, tensors. #}
const TENSORS = {{ tensors }}u;
const GROUND = vec4f(0.0235, 0.0353, 0.0549, 1.0);  // where no tensor is
const KEPT = vec4f(0.043, 0.055, 0.078, 1.0);       // where rows will arrive
struct Frame {
    mapping: ColorMapping,
    width: u32,       // pixels
    height: u32,
    level_x: u32,     // corner of the level of the pyramid, and log2 of its blocks in a tile's width
    level_y: u32,
    level_shift: u32,
    border: f32,      // 0 to 1: how much cell borders show
    ink: f32,         // 0 to 1: how much digits show
    figures: u32,     // significant digits
    glyph_width: u32, // pixels
    glyph_height: u32,
    glyph_top: u32,   // row of the glyphs of this size in their texture
    padding: u32,
}
fn peak_of(slot: u32, mapping: ColorMapping) -> f32 {
    let i = select(slot, TENSORS, mapping.all_tensors == 1u);
    return peaks[i / 4u][i % 4u];
}

{# Parameters that all dispatches of a frame of Map share. Needs strip/common/color.wgsl, the bindings `peaks` and `ranges`, and the
   value `tensors`. #}
const TENSORS = {{ tensors }}u;
struct Frame {
    mapping: ColorMapping,
    width: u32,       // pixels
    height: u32,
    level_x: u32,     // corner of the pyramid's level in its texture
    level_y: u32,
    level_shift: u32, // log2 of the level's blocks per tile, along one side
    padding0: u32,
    padding1: u32,
    padding2: u32,
}
fn peak_of(slot: u32, mapping: ColorMapping) -> f32 {
    let i = select(slot, TENSORS, mapping.all_tensors == 1u);
    return peaks[i / 4u][i % 4u];
}

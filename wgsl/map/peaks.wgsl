// Finds the peak of each tensor, which has brightness 1: the largest finite extreme of its tiles, at least 1e-12.
// Grid: (tensors); one workgroup per tensor.
{% include "map/common/key.wgsl" %}
{% include "common/numbers.wgsl" %}
struct Box {
    x: u32, // in tiles
    y: u32,
    width: u32,
    height: u32,
    slot: u32, // index of the tensor
    padding0: u32,
    padding1: u32,
    padding2: u32,
}
@group(0) @binding(0) var<storage, read> boxes: array<Box>;
@group(0) @binding(1) var pyramid: texture_2d<u32>;
@group(0) @binding(2) var<storage, read_write> peaks: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let box = boxes[group.x];
    // The coarsest level comes last in the bottom third of the texture, below the finest level.
    let size = textureDimensions(pyramid);
    let corner = vec2u(size.x - size.x / 4u, size.y / 3u * 2u);
    var peak = 1e-12;
    for (var i = thread; i < box.width * box.height; i += 64u) {
        let at = corner + vec2u(box.x + i % box.width, box.y + i / box.width);
        let key = textureLoad(pyramid, at, 0).x;
        if (key <= KEPT_FREE) { continue; }
        let value = extreme_value(key);
        if (is_finite(value)) { peak = max(peak, abs(value)); }
    }
    partial[thread] = peak;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = max(partial[thread], partial[thread + half]); }
    }
    if (thread == 0u) { peaks[box.slot] = partial[0]; }
}

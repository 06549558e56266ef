// How values become colors. Colors are red, green, blue from 0 to 1.
struct ColorMapping {
    negative_low: vec4f, // darkest and brightest of negative values
    negative_high: vec4f,
    positive_low: vec4f, // and of positive ones
    positive_high: vec4f,
    low: f32,            // magnitude of the darkest
    high: f32,           // magnitude of the brightest; 0: the largest of the tensor, or of all
    all_tensors: u32,    // 1: one range for all tensors
    padding: u32,
}
// What is not finite is a red of its own. Alpha tells whoever draws large cells which pattern is due: 255 of 255 none,
// 254 NaN, 253 plus, 252 minus infinity.
fn nonfinite_color(value: f32) -> vec4f {
    if (is_nan(value)) { return vec4f(1.0, 0.04, 0.18, 254.0 / 255.0); }
    if (bitcast<u32>(value) >> 31u == 0u) { return vec4f(1.0, 0.24, 0.52, 253.0 / 255.0); }
    return vec4f(0.72, 0.02, 0.36, 252.0 / 255.0);
}
// Color of a value: sign by hue, magnitude by brightness, non-finite red.
fn strip_color(value: f32, peak: f32, mapping: ColorMapping) -> vec4f {
    if (!is_finite(value)) { return nonfinite_color(value); }
    if (value == 0.0) { return vec4f(0.06, 0.07, 0.09, 1.0); }
    let high = select(peak, mapping.high, mapping.high > 0.0);
    let share = clamp((abs(value) - mapping.low) / max(high - mapping.low, 1e-12), 0.0, 1.0);
    let brightness = max(0.08, sqrt(share));
    if (value > 0.0) { return mix(mapping.positive_low, mapping.positive_high, brightness); }
    return mix(mapping.negative_low, mapping.negative_high, brightness);
}

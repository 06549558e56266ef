// How values become colors. Colors are red, green, blue from 0 to 1.
struct ColorMapping {
    negative_low: vec4f, // darkest and brightest color of negative values
    negative_high: vec4f,
    positive_low: vec4f, // the same for positive values
    positive_high: vec4f,
    low: f32,            // magnitude with the darkest color
    high: f32,           // magnitude with the brightest color; 0 for the largest of the tensor, or of all tensors
    all_tensors: u32,    // 1: one range for all tensors
    padding: u32,
}
// Non-finite values have their own reds. Alpha times 255 selects the pattern of large cells: 255 none, 254 NaN,
// 253 plus infinity, 252 minus infinity.
fn nonfinite_color(value: f32) -> vec4f {
    if (is_nan(value)) { return vec4f(1.0, 0.04, 0.18, 254.0 / 255.0); }
    if (bitcast<u32>(value) >> 31u == 0u) { return vec4f(1.0, 0.24, 0.52, 253.0 / 255.0); }
    return vec4f(0.72, 0.02, 0.36, 252.0 / 255.0);
}
// The color of a value: hue for the sign, brightness for the magnitude, red for non-finite values.
fn strip_color(value: f32, peak: f32, mapping: ColorMapping) -> vec4f {
    if (!is_finite(value)) { return nonfinite_color(value); }
    if (value == 0.0) { return vec4f(0.06, 0.07, 0.09, 1.0); }
    let high = select(peak, mapping.high, mapping.high > 0.0);
    let share = clamp((abs(value) - mapping.low) / max(high - mapping.low, 1e-12), 0.0, 1.0);
    let brightness = max(0.08, sqrt(share));
    if (value > 0.0) { return mix(mapping.positive_low, mapping.positive_high, brightness); }
    return mix(mapping.negative_low, mapping.negative_high, brightness);
}

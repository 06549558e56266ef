// How values become colors. Colors are red, green, blue from 0 to 1.
struct ColorMapping {
    negative_low: vec4f, // darkest and brightest color of negative values
    negative_high: vec4f,
    positive_low: vec4f, // the same for positive values
    positive_high: vec4f,
    sequential: array<vec4f, 3>, // darkest, middle and brightest color of tensors with values of one sign
    ground: vec4f,       // where there is no tensor
    unfilled: vec4f,     // rows that are not filled yet
    low: f32,            // magnitude with the darkest color
    high: f32,           // magnitude with the brightest color; 0 for the largest of the tensor, or of all tensors
    all_tensors: u32,    // 1: one range for all tensors
    gain: f32,           // multiplies a value's share of the range
    offset: f32,         // is added to it
    curve: u32,          // from there to brightness, 0: square root, 1: linear, 2: logarithmic
    padding0: u32,
    padding1: u32,
}
// Non-finite values have their own reds. Alpha times 255 selects the pattern of large cells: 255 none, 254 NaN,
// 253 plus infinity, 252 minus infinity.
fn nonfinite_color(value: f32) -> vec4f {
    if (is_nan(value)) { return vec4f(1.0, 0.04, 0.18, 254.0 / 255.0); }
    if (bitcast<u32>(value) >> 31u == 0u) { return vec4f(1.0, 0.24, 0.52, 253.0 / 255.0); }
    return vec4f(0.72, 0.02, 0.36, 252.0 / 255.0);
}
{% if plain is defined and plain %}
// As below, for a mapping that `palettes.is_plain` accepts: on software adapters the other branches take time although
// they are not taken.
fn strip_color(value: f32, peak: f32, mapping: ColorMapping) -> vec4f {
    if (!is_finite(value)) { return nonfinite_color(value); }
    if (value == 0.0) { return vec4f(0.06, 0.07, 0.09, 1.0); }
    let high = select(peak, mapping.high, mapping.high > 0.0);
    let share = clamp((abs(value) - mapping.low) / max(high - mapping.low, 1e-12), 0.0, 1.0);
    let brightness = max(0.08, sqrt(share));
    if (value > 0.0) { return mix(mapping.positive_low, mapping.positive_high, brightness); }
    return mix(mapping.negative_low, mapping.negative_high, brightness);
}
{% else %}
fn curved(share: f32, curve: u32) -> f32 {
    if (curve == 0u) { return sqrt(share); }
    if (curve == 1u) { return share; }
    return log(1.0 + 999.0 * share) / 6.907755; // three decades
}
// The color of a value: hue for the sign, brightness for the magnitude, red for non-finite values.
// range: the lowest and highest value of a tensor whose values all have one sign, zeros for others.
fn strip_color(value: f32, peak: f32, range: vec2f, mapping: ColorMapping) -> vec4f {
    if (!is_finite(value)) { return nonfinite_color(value); }
    let high = select(peak, mapping.high, mapping.high > 0.0);
    if (range.y > range.x) {
        let own = mapping.high == 0.0 && mapping.all_tensors == 0u;
        let ends = select(vec2f(mapping.low, high), range, own);
        let share = (select(abs(value), value, own) - ends.x) / max(ends.y - ends.x, 1e-12);
        let level = curved(clamp(share * mapping.gain + mapping.offset, 0.0, 1.0), mapping.curve);
        if (level < 0.5) { return mix(mapping.sequential[0], mapping.sequential[1], 2.0 * level); }
        return mix(mapping.sequential[1], mapping.sequential[2], 2.0 * level - 1.0);
    }
    if (value == 0.0 && mapping.offset == 0.0) { return vec4f(0.06, 0.07, 0.09, 1.0); }
    let share = clamp((abs(value) - mapping.low) / max(high - mapping.low, 1e-12), 0.0, 1.0);
    let level = select(-share, share, value > 0.0) * mapping.gain + mapping.offset;
    let positive = select(level > 0.0, value > 0.0, level == 0.0);
    let brightness = max(0.08, curved(min(abs(level), 1.0), mapping.curve));
    if (positive) { return mix(mapping.positive_low, mapping.positive_high, brightness); }
    return mix(mapping.negative_low, mapping.negative_high, brightness);
}
{% endif %}

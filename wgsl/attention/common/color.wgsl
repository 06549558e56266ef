// How scores and weights become colors: red, green, blue from 0 to 1. Alpha 0 shows what is behind the picture.
struct Colors {
    weights: array<vec4f, 3>, // weight 0, 0.25 and 1; the scale is the square root
    negative: array<vec4f, 2>, // scores near 0 and the most negative
    positive: array<vec4f, 2>, // scores near 0 and the most positive
    later: vec4f,             // where a key is later than its query
    broken: vec4f,            // NaN and infinity
}
fn weight_color(weight: f32) -> vec4f {
    if (!is_finite(weight)) { return colors.broken; }
    let level = sqrt(clamp(weight, 0.0, 1.0));
    if (level < 0.5) { return mix(colors.weights[0], colors.weights[1], 2.0 * level); }
    return mix(colors.weights[1], colors.weights[2], 2.0 * level - 1.0);
}
// The color of a difference of at most `most` either way; the scale is the square root, as for weights.
fn difference_color(difference: f32, most: f32) -> vec4f {
    if (!is_finite(difference)) { return colors.broken; }
    let share = sqrt(clamp(abs(difference) / max(most, 1e-30), 0.0, 1.0));
    return score_color(select(share, -share, difference < 0.0), 1.0);
}
fn score_color(score: f32, peak: f32) -> vec4f {
    if (!is_finite(score)) { return colors.broken; }
    let share = clamp(abs(score) / max(peak, 1e-30), 0.0, 1.0);
    if (score < 0.0) { return mix(colors.negative[0], colors.negative[1], share); }
    return mix(colors.positive[0], colors.positive[1], share);
}

// Colour of a value in the strip: sign by hue, magnitude by brightness, non-finite red.
fn strip_colour(value: f32, peak: f32) -> vec4f {
    if (!is_finite(value)) { return vec4f(mix(vec3f(0.24, 0.0, 0.06), vec3f(1.0, 0.04, 0.18), 1.0), 1.0); }
    if (value == 0.0) { return vec4f(0.06, 0.07, 0.09, 1.0); }
    let brightness = max(0.08, sqrt(min(1.0, abs(value) / peak)));
    if (value > 0.0) { return vec4f(mix(vec3f(0.18, 0.10, 0.02), vec3f(1.0, 0.82, 0.10), brightness), 1.0); }
    return vec4f(mix(vec3f(0.02, 0.12, 0.30), vec3f(0.0, 0.78, 1.0), brightness), 1.0);
}

// The color of digits on the color of a cell; all colors are sRGB.
fn luminance(color: vec4f) -> f32 {
    let linear = select(pow((color.rgb + 0.055) / 1.055, vec3f(2.4)), color.rgb / 12.92, color.rgb <= vec3f(0.04045));
    return dot(linear, vec3f(0.2126, 0.7152, 0.0722));
}
// A color for text on `color` with a contrast of at least 4.5 : 1. Soft black and white suffice on most colors; on those
// of medium luminance, only full black or white does.
fn ink_on(color: vec4f) -> vec4f {
    let back = luminance(color) + 0.05;
    if (1.05 / back < back / 0.05) {
        return select(vec4f(0.0, 0.0, 0.0, 1.0), vec4f(0.02, 0.03, 0.05, 1.0), back > 0.24);
    }
    return select(vec4f(1.0), vec4f(0.93, 0.95, 0.97, 1.0), back < 0.205);
}

// The patterns of cells whose values are not finite.
const PATTERN_FROM = 5.0; // side of a cell, in pixels
const PATTERN_INK = vec3f(0.0);

// True where the pattern of `kind` (254 NaN, 253 plus infinity, 252 minus infinity) has ink. `position` is relative to
// the cell, from 0 to 1.
fn inked(kind: u32, position: vec2f) -> bool {
    let p = position - vec2f(0.5);
    let inside = max(abs(p.x), abs(p.y)) < 0.36;
    if (kind == 254u) { return inside && abs(abs(p.x) - abs(p.y)) < 0.13; }
    let bar = abs(p.y) < 0.09;
    if (kind == 253u) { return inside && (bar || abs(p.x) < 0.09); }
    return inside && bar;
}

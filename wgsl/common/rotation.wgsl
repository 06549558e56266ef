// (cos, sin) of a pair's rotation at a position; see forward/rope.wgsl. Needs `rotations`, FINE and PAIRS.
fn rotation(position: u32, pair: u32) -> vec2f {
    let a = rotations[position % FINE * PAIRS + pair];
    let b = rotations[(FINE + position / FINE) * PAIRS + pair];
    return vec2f(a.x * b.x - a.y * b.y, a.y * b.x + a.x * b.y);
}

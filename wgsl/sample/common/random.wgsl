// Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): a counter-based
// generator, so that the number for a token at a step does not depend on earlier draws.
fn rotate_left(value: u32, bits: u32) -> u32 { return (value << bits) | (value >> (32u - bits)); }
fn threefry(key: vec2u, counter: vec2u) -> vec2u {
    let k = array<u32, 3>(key.x, key.y, key.x ^ key.y ^ 0x1bd11bdau);
    let even = vec4u(13u, 15u, 26u, 6u);
    let odd = vec4u(17u, 29u, 16u, 24u);
    var x = vec2u(counter.x + k[0], counter.y + k[1]);
    for (var group = 0u; group < 5u; group++) {
        let rotations = select(odd, even, group % 2u == 0u);
        for (var i = 0u; i < 4u; i++) {
            x.x += x.y;
            x.y = rotate_left(x.y, rotations[i]) ^ x.x;
        }
        x.x += k[(group + 1u) % 3u];
        x.y += k[(group + 2u) % 3u] + group + 1u;
    }
    return x;
}
// A Gumbel variate from 32 random bits. The largest values, which decide the draw, result from v near 0, where a float
// is precise enough to distinguish all 2^32 cases.
fn gumbel(bits: u32) -> f32 {
    let v = min((f32(bits) + 0.5) * 2.3283064e-10, 0.99999994);
    let exponential = select(-log(1.0 - v), v + 0.5 * v * v, v < 0.001);
    return -log(exponential);
}

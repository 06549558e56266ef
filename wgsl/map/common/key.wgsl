// Keys that sort values by how extreme they are: by magnitude, infinity above finite values, NaN above infinity, +x
// above -x, and minus zero equal to zero.
const NO_CELL = 0u;
const KEPT_FREE = 1u; // a cell that is not filled yet
fn extreme_key(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    return clamp((bits << 1u) | (1u - (bits >> 31u)), 1u, 0xfffffffeu) + 1u;
}
fn extreme_value(key: u32) -> f32 {
    let turned = key - 1u;
    return bitcast<f32>((turned >> 1u) | ((1u - (turned & 1u)) << 31u));
}

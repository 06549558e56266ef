// A value as a key whose order is "more extreme": magnitude first, infinity above every number, NaN above infinity; of
// a value and its negative the positive one. 0 is left for "no value", so minus zero has the key of zero.
fn extreme_key(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    return max((bits << 1u) | (1u - (bits >> 31u)), 1u);
}
fn extreme_value(key: u32) -> f32 { return bitcast<f32>((key >> 1u) | ((1u - (key & 1u)) << 31u)); }

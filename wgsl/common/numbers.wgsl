// These tests use the bits, because a compiler may assume that arithmetic never sees a NaN.
fn is_finite(value: f32) -> bool { return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u; }
fn is_nan(value: f32) -> bool { return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u; }
// A key that sorts like the float. 0 is reserved for "no value".
fn sort_key(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    // Minus zero equals zero.
    return select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
}
// The float with this sort key.
fn key_value(key: u32) -> f32 { return bitcast<f32>(select(~key, key ^ 0x80000000u, key >= 0x80000000u)); }

// The larger of v and 0. NaN stays NaN, which max() would not promise.
fn relu(v: f32) -> f32 {
    let bits = bitcast<u32>(v);
    // Negative numbers and minus infinity; above 0xff800000 lie the NaNs.
    return select(v, 0.0, bits >= 0x80000000u && bits <= 0xff800000u);
}

// Keys that sort values by magnitude: infinity above every finite one, NaN above infinity; of +x and -x the positive.
// On the bits, so that nothing depends on how a compiler compares NaNs. 0 is "no value".
fn extreme_key(bits: u32) -> u32 { return (bits << 1u) | (1u - (bits >> 31u)); }
// The bits of the value that has this key.
fn extreme_bits(key: u32) -> u32 { return (key >> 1u) | ((1u - (key & 1u)) << 31u); }
// Largest key of four values.
fn extreme_key4(bits: vec4u) -> u32 {
    let keys = (bits << vec4u(1u)) | (vec4u(1u) - (bits >> vec4u(31u)));
    let pairs = max(keys.xy, keys.zw);
    return max(pairs.x, pairs.y);
}
// Largest key of those of four values, the first with flat index `at`, that are inside `range` (first, end).
fn range_key4(bits: vec4u, at: u32, range: vec2u) -> u32 {
    let index = vec4u(at) + vec4u(0u, 1u, 2u, 3u);
    let keys = (bits << vec4u(1u)) | (vec4u(1u) - (bits >> vec4u(31u)));
    let inside = select(vec4u(0u), keys, (index >= vec4u(range.x)) & (index < vec4u(range.y)));
    let pairs = max(inside.xy, inside.zw);
    return max(pairs.x, pairs.y);
}

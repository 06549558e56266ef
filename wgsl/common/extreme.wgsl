// Keys that sort values by magnitude: infinity above finite values, NaN above infinity, and +x above -x. They come
// from the bits, so they do not depend on how a compiler compares NaNs. 0 means "no value".
fn extreme_key(bits: u32) -> u32 { return (bits << 1u) | (1u - (bits >> 31u)); }
// The bits of the value with this key.
fn extreme_bits(key: u32) -> u32 { return (key >> 1u) | ((1u - (key & 1u)) << 31u); }
// The largest key of four values.
fn extreme_key4(bits: vec4u) -> u32 {
    let keys = (bits << vec4u(1u)) | (vec4u(1u) - (bits >> vec4u(31u)));
    let pairs = max(keys.xy, keys.zw);
    return max(pairs.x, pairs.y);
}
// The largest key of four consecutive values, the first at flat index `at`, that lie inside `range` (first, end).
fn range_key4(bits: vec4u, at: u32, range: vec2u) -> u32 {
    let index = vec4u(at) + vec4u(0u, 1u, 2u, 3u);
    let keys = (bits << vec4u(1u)) | (vec4u(1u) - (bits >> vec4u(31u)));
    let inside = select(vec4u(0u), keys, (index >= vec4u(range.x)) & (index < vec4u(range.y)));
    let pairs = max(inside.xy, inside.zw);
    return max(pairs.x, pairs.y);
}

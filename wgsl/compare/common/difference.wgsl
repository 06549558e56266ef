// The bits of a - b, divided by the larger magnitude if `relative`. Equal values, also infinities, differ by 0. NaN stays.
// It tests bits, because a compiler may assume that arithmetic never sees a NaN.
fn difference_of(a: u32, b: u32, relative: bool) -> u32 {
    let size_a = a & 0x7fffffffu;
    let size_b = b & 0x7fffffffu;
    if (size_a > 0x7f800000u) { return a; }
    if (size_b > 0x7f800000u) { return b; }
    if (a == b) { return 0u; }
    if (size_a == 0x7f800000u) { return a; }
    if (size_b == 0x7f800000u) { return b ^ 0x80000000u; }
    let one = bitcast<f32>(a);
    let other = bitcast<f32>(b);
    if (!relative) { return bitcast<u32>(one - other); }
    // Divided first: a difference of large values would overflow.
    let largest = max(max(abs(one), abs(other)), 1.2e-38);
    return bitcast<u32>(one / largest - other / largest);
}

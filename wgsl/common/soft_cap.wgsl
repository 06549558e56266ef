// cap * tanh(v / cap). By exponentials of negative numbers, because tanh overflows to NaN in some drivers.
fn soft_cap(v: f32, cap: f32) -> f32 {
    let e = exp(-2.0 * abs(v / cap));
    return cap * sign(v) * (1.0 - e) / (1.0 + e);
}

// GELU in its tanh form, 0.5 v (1 + tanh(u)), written as v / (1 + exp(-2 u)). The two are equal, but for
// negative v, 1 + tanh(u) would cancel to zero, and in some drivers tanh overflows to NaN.
fn gelu(v: f32) -> f32 {
    let u = 0.7978845608028654 * (v + 0.044715 * v * v * v);
    return v / (1.0 + exp(-2.0 * u));
}

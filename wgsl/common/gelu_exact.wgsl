// GELU with the error function, 0.5 v (1 + erf(v / sqrt(2))). By the complement of erf for positive numbers, whose
// polynomial (Abramowitz and Stegun, 7.1.26) has an error of at most 1.5e-7.
fn gelu_exact(v: f32) -> f32 {
    let z = abs(v) * 0.7071067811865476;
    let t = 1.0 / (1.0 + 0.3275911 * z);
    let rest = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * exp(-z * z);
    return select(v * 0.5 * rest, v * (1.0 - 0.5 * rest), v >= 0.0);
}

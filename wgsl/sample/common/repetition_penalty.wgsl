// A logit of a token that the context contains. The penalty divides positive logits and multiplies negative ones, so that
// the token becomes less likely. The result stays finite.
fn penalized(logit: f32, penalty: f32) -> f32 {
    return clamp(select(logit * penalty, logit / penalty, logit > 0.0), -3.4028234e38, 3.4028234e38);
}

struct Sampling {
    inverse_temperature: f32, // 1 / T; 1 when greedy
    greedy: u32,              // 1: argmax, no noise
    seed: u32,
    top: u32,                 // candidates to report
    end_of_text: u32,         // the token that ends a generation
    top_k: u32,               // tokens to keep, 0: all
    top_p: u32,               // mass to keep in units of 2^-32, 0xffffffff: all
    min_p: u32,               // 1: keep only logits of at least `highest - drop`
    drop: f32,                // -T log(min-p), in logits
    repetition_penalty: f32,  // divides the positive and multiplies the negative logits of tokens in the context, 1: off
}
// Results for a part of the vocabulary. Sums are of exp(x - largest x), as usual for a softmax.
struct Slice {
    highest: f32,       // largest logit
    total: f32,         // sum of exp(logit - highest)
    drawn_highest: f32, // largest logit after the repetition penalty
    drawn_total: f32,   // sum of exp((penalized logit - drawn_highest) / T) over the tokens that may be drawn
    race: f32,          // largest noisy scaled logit, which wins the draw
    token: u32,         // its token
    nonfinite: u32,     // logits that are NaN or infinite, never drawn
    kept: u32,          // tokens that may be drawn
    spread: f32,        // sum of exp(logit - highest) * (highest - logit), for the entropy
}
fn empty_slice() -> Slice { return Slice(-3.4e38, 0.0, -3.4e38, 0.0, -3.4e38, 0xffffffffu, 0u, 0u, 0.0); }
// A part's `spread` relative to another, larger logit. For an empty part the distance is meaningless.
fn spread_about(part: Slice, highest: f32) -> f32 {
    let distance = highest - part.highest;
    return select(0.0, (part.spread + distance * part.total) * exp(-distance), part.total > 0.0);
}
// Uses the uniform `sampling` of the shader.
fn merged(a: Slice, b: Slice) -> Slice {
    var c: Slice;
    c.highest = max(a.highest, b.highest);
    c.total = a.total * exp(a.highest - c.highest) + b.total * exp(b.highest - c.highest);
    c.drawn_highest = max(a.drawn_highest, b.drawn_highest);
    // Scaled after the subtraction: a logit divided by a tiny temperature could overflow.
    c.drawn_total = a.drawn_total * exp((a.drawn_highest - c.drawn_highest) * sampling.inverse_temperature)
        + b.drawn_total * exp((b.drawn_highest - c.drawn_highest) * sampling.inverse_temperature);
    // The lowest id wins a tie, whatever the order of merging.
    let b_wins = b.kept > 0u && (a.kept == 0u || b.race > a.race || (b.race == a.race && b.token < a.token));
    c.race = select(a.race, b.race, b_wins);
    c.token = select(a.token, b.token, b_wins);
    c.nonfinite = a.nonfinite + b.nonfinite;
    c.kept = a.kept + b.kept;
    c.spread = spread_about(a, c.highest) + spread_about(b, c.highest);
    return c;
}

struct Sampling {
    inverse_temperature: f32, // 1 / T; 1 when greedy
    greedy: u32,              // 1: argmax, no noise
    seed: u32,
    top: u32,                 // candidates to report
    end_of_text: u32,         // the token that ends a generation
}
// What is known of a part of the vocabulary. Sums are of exp(x - highest x), as usual for a softmax.
struct Slice {
    highest: f32,        // largest logit
    total: f32,          // sum of exp(logit - highest)
    scaled_highest: f32, // the same of logit / T
    scaled_total: f32,
    race: f32,           // largest noisy scaled logit: the winner of the draw
    token: u32,          // its token
    nonfinite: u32,      // logits that are NaN or infinite, never drawn
    finite: u32,         // 1 when there is a finite logit
}
fn empty_slice() -> Slice { return Slice(-3.4e38, 0.0, -3.4e38, 0.0, -3.4e38, 0xffffffffu, 0u, 0u); }
fn merged(a: Slice, b: Slice) -> Slice {
    var c: Slice;
    c.highest = max(a.highest, b.highest);
    c.total = a.total * exp(a.highest - c.highest) + b.total * exp(b.highest - c.highest);
    c.scaled_highest = max(a.scaled_highest, b.scaled_highest);
    c.scaled_total = a.scaled_total * exp(a.scaled_highest - c.scaled_highest)
        + b.scaled_total * exp(b.scaled_highest - c.scaled_highest);
    // The lowest token wins a tie, whatever the order of merging.
    let b_wins = b.finite > a.finite || (b.finite == a.finite && (b.race > a.race || (b.race == a.race && b.token < a.token)));
    c.race = select(a.race, b.race, b_wins);
    c.token = select(a.token, b.token, b_wins);
    c.nonfinite = a.nonfinite + b.nonfinite;
    c.finite = max(a.finite, b.finite);
    return c;
}

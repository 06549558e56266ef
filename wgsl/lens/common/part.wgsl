// Results for a part of the vocabulary. Sums are of exp(x - largest x), as usual for a softmax; logits that are not
// finite have no probability.
struct Part {
    highest: f32,   // largest finite logit
    total: f32,     // sum of exp(logit - highest)
    spread: f32,    // sum of exp(logit - highest) * (highest - logit), for the entropy
    nonfinite: u32, // logits that are NaN or infinite
    before: u32,    // tokens that rank before the target
}
fn empty_part() -> Part { return Part(-3.4e38, 0.0, 0.0, 0u, 0u); }
// A part's `spread` relative to another, larger logit. For an empty part the distance is meaningless.
fn spread_about(part: Part, highest: f32) -> f32 {
    let distance = highest - part.highest;
    return select(0.0, (part.spread + distance * part.total) * exp(-distance), part.total > 0.0);
}
fn merged(a: Part, b: Part) -> Part {
    var c: Part;
    c.highest = max(a.highest, b.highest);
    c.total = a.total * exp(a.highest - c.highest) + b.total * exp(b.highest - c.highest);
    c.spread = spread_about(a, c.highest) + spread_about(b, c.highest);
    c.nonfinite = a.nonfinite + b.nonfinite;
    c.before = a.before + b.before;
    return c;
}

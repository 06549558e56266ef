// a / b, rounded down, for a below 2^21. Integer division would be slow on adapters that execute it one thread at a time.
fn quotient(a: u32, b: u32) -> u32 { return u32((f32(a) + 0.5) / f32(b)); }

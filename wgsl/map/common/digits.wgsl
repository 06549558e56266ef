// Numbers as text, like compute/views/map_digits.py. Only integer arithmetic, so that all adapters write the same text.
// Needs `powers`: 10^(i - 40) as (top 32 bits, exponent of two + 1024).
struct Number {
    negative: bool,
    kind: u32,     // 0: digits with a point, 1: digits with an exponent of ten, 2: a word
    digits: u32,   // or the first glyph of the word
    exponent: i32, // power of ten of the first digit
    figures: u32,  // significant digits
    length: u32,   // in characters
}
const GLYPH_POINT = 10u;
const GLYPH_MINUS = 11u;
const GLYPH_E = 12u;
const GLYPH_NAN = 13u; // "NaN", then "inf"
const GLYPH_INF = 16u;

fn scaled(mantissa: u32, exponent: i32, power: i32) -> u32 {
    let factor = powers[u32(power + 40)];
    // The high word of mantissa * factor.x, from products of 16 bits.
    let low = (mantissa & 0xffffu) * (factor.x & 0xffffu);
    let middle = (mantissa >> 16u) * (factor.x & 0xffffu) + (low >> 16u);
    let other = (mantissa & 0xffffu) * (factor.x >> 16u) + (middle & 0xffffu);
    let high = (mantissa >> 16u) * (factor.x >> 16u) + (middle >> 16u) + (other >> 16u);
    let shift = u32(-(exponent + i32(factor.y) - 1024) - 32);
    return (high + (1u << (shift - 1u))) >> shift;
}

fn power_of_ten(n: u32) -> u32 {
    var power = 1u;
    for (var i = 0u; i < n; i++) { power *= 10u; }
    return power;
}

fn number_of(value: f32, figures: u32) -> Number {
    let bits = bitcast<u32>(value);
    let magnitude = bits & 0x7fffffffu;
    let negative = bits > 0x80000000u;
    if (magnitude > 0x7f800000u) { return Number(false, 2u, GLYPH_NAN, 0, 0u, 3u); }
    if (magnitude == 0x7f800000u) { return Number(negative, 2u, GLYPH_INF, 0, 0u, select(3u, 4u, negative)); }
    if (magnitude == 0u) { return Number(false, 0u, 0u, 0, 1u, 1u); }
    var mantissa = magnitude & 0x7fffffu;
    var exponent = i32(magnitude >> 23u) - 150;
    if (magnitude >= 0x800000u) {
        mantissa |= 0x800000u;
    } else {
        let shift = countLeadingZeros(mantissa) - 8u;
        mantissa <<= shift;
        exponent = -149 - i32(shift);
    }
    var ten = ((exponent + 23) * 78913) >> 18u; // floor of the decimal logarithm, or one less
    let limit = power_of_ten(figures);
    var digits = scaled(mantissa, exponent, i32(figures) - 1 - ten);
    for (var retry = 0u; retry < 2u && digits >= limit; retry++) {
        ten += 1;
        digits = scaled(mantissa, exponent, i32(figures) - 1 - ten);
    }
    let sign = select(0u, 1u, negative);
    if (ten >= 0 && ten < i32(figures)) {
        return Number(negative, 0u, digits, ten, figures, sign + figures + select(1u, 0u, ten + 1 == i32(figures)));
    }
    if (ten < 0 && ten >= -3) { return Number(negative, 0u, digits, ten, figures, sign + figures + u32(1 - ten)); }
    let length = figures + 3u + select(0u, 1u, ten < 0) + select(0u, 1u, abs(ten) >= 10);
    return Number(negative, 1u, digits, ten, figures, sign + length);
}

fn digit(number: Number, i: u32) -> u32 { return number.digits / power_of_ten(number.figures - 1u - i) % 10u; }

// The glyph of character `i`.
fn glyph_of(number: Number, i: u32) -> u32 {
    var at = i;
    if (number.negative) {
        if (at == 0u) { return GLYPH_MINUS; }
        at -= 1u;
    }
    if (number.kind == 2u) { return number.digits + at; }
    if (number.kind == 0u) {
        if (number.exponent < 0) {
            let zeros = u32(1 - number.exponent);
            if (at == 1u) { return GLYPH_POINT; }
            if (at < zeros) { return 0u; }
            return digit(number, at - zeros);
        }
        let point = u32(number.exponent) + 1u;
        if (at == point) { return GLYPH_POINT; }
        return digit(number, select(at - 1u, at, at < point));
    }
    if (at == 0u) { return digit(number, 0u); }
    if (at == 1u) { return GLYPH_POINT; }
    if (at <= number.figures) { return digit(number, at - 1u); }
    at -= number.figures + 1u;
    if (at == 0u) { return GLYPH_E; }
    at -= 1u;
    if (number.exponent < 0) {
        if (at == 0u) { return GLYPH_MINUS; }
        at -= 1u;
    }
    let ten = u32(abs(number.exponent));
    if (ten >= 10u && at == 0u) { return ten / 10u; }
    return ten % 10u;
}

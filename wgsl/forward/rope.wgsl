// Rotates the first 2 * PAIRS channels of each head by position times the frequency of their pair; the others are
// copied. Pairs are (i, i + PAIRS) or, when interleaved, (2 i, 2 i + 1). Grid: (columns of the result, rows).
// `rotations` contains (cos, sin) in rows of PAIRS: for positions 0 to FINE - 1, then for multiples of FINE. The two
// rotations that a position consists of are multiplied: tables of all positions would be large, and cos and sin of large
// angles inexact.
{% include "common/state.wgsl" %}
{% include "forward/common/sequence.wgsl" %}
const COLUMNS = {{ columns }}u; // of the result, heads side by side
const SIZE = {{ size }}u;       // of a head
const PAIRS = {{ pairs }}u;
const FINE = {{ fine }}u;
struct Params {
    offset: u32, // of the result in the activation buffer, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> rotations: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% if trace %}
@group(0) @binding(5) var<storage, read_write> activations: array<f32>;
{% endif %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (state.done != 0u) { return; }
    let column = id.x;
    let r = id.y;
    if (column >= COLUMNS || r >= state.rows) { return; }
    let row = state.first_row + r;
    let channel = column % SIZE;
    let base = r * {{ source_columns }}u + {{ first }}u + column / SIZE * {{ step }}u;
    var value = x[base + channel];
    if (channel < 2u * PAIRS) {
        let position = state.position + row - sequence_start(row);
{% if interleaved %}
        let pair = channel / 2u;
        let second = channel % 2u == 1u;
        let other = x[base + channel + 1u - 2u * (channel % 2u)];
{% else %}
        let pair = channel % PAIRS;
        let second = channel >= PAIRS;
        let other = x[base + select(channel + PAIRS, channel - PAIRS, second)];
{% endif %}
        let a = rotations[position % FINE * PAIRS + pair];
        let b = rotations[(FINE + position / FINE) * PAIRS + pair];
        let cosine = a.x * b.x - a.y * b.y;
        let sine = a.y * b.x + a.x * b.y;
        value = value * cosine + select(-other, other, second) * sine;
    }
    y[r * COLUMNS + column] = value;
{% if trace %}
    activations[params.offset + row * COLUMNS + column] = value;
{% endif %}
}

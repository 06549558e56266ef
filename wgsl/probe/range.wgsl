// Finds the extreme value of a range of one tensor, and where it is: the first of several. One workgroup.
// `storage` "values": float32 values of a buffer; otherwise one piece of a weight, in the order of the pieces' rows.
{% import "common/weight.wgsl" as w %}
{% include "common/extreme.wgsl" %}
const THREADS = 64u;
const NOWHERE = 0xffffffffu;
struct Params {
    first: u32,  // flat index of the range's first value
    end: u32,    // and of its end
    offset: u32, // of value 0 of the tensor in `values`, in elements; for weights flat index of the piece's first value
    slot: u32,   // index of the result in `results`
    fresh: u32,  // 0: join what an earlier piece found
    padding0: u32,
    padding1: u32,
    padding2: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
{% if storage == "values" %}
@group(0) @binding(1) var<storage, read> values: array<u32>; // bits, so that no NaN is changed
fn bits_of(index: u32) -> u32 { return values[params.offset + index]; }
{% else %}
{{ w.declare(storage, dtype, columns, tile, 1) }}
const COLUMNS = {{ columns }}u;
fn bits_of(index: u32) -> u32 {
    let inside = index - params.offset;
    let column = inside % COLUMNS;
    return bitcast<u32>(weight_quad(inside / COLUMNS, column / 4u)[column % 4u]);
}
{% endif %}
@group(0) @binding(2) var<storage, read_write> results: array<vec2u>; // bits and flat index

var<workgroup> best: array<vec2u, THREADS>; // key and index

fn better(a: vec2u, b: vec2u) -> vec2u {
    let take_b = b.x > a.x || (b.x == a.x && b.y < a.y);
    return select(a, b, take_b);
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
    var mine = vec2u(0u, NOWHERE);
    for (var index = params.first + thread; index < params.end; index += THREADS) {
        mine = better(mine, vec2u(extreme_key(bits_of(index)), index));
    }
    best[thread] = mine;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { best[thread] = better(best[thread], best[thread + half]); }
    }
    if (thread == 0u) {
        var result = best[0];
        if (params.fresh == 0u) {
            let before = results[params.slot];
            result = better(vec2u(extreme_key(before.x), before.y), result);
        }
        results[params.slot] = vec2u(extreme_bits(result.x), result.y);
    }
}

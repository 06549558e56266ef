// Finds the most extreme value in a range of one tensor and its index, the lowest if values are equal. One workgroup.
// With `storage` "values" it reads float32 from a buffer, otherwise a shard of a weight. Shards run in row order.
// Of a quantized weight it also writes how the value is stored, from results[MOST] on.
{% import "common/weight.wgsl" as w %}
{% import "common/quantized.wgsl" as q %}
{% include "common/extreme.wgsl" %}
const THREADS = 64u;
const NOWHERE = 0xffffffffu;
const MOST = 64u; // probes
struct Params {
    first: u32,  // flat index of the range's first value
    end: u32,    // flat index of the range's end
    offset: u32, // of the tensor in `values`, in elements; for a weight, flat index of the shard's first value
    slot: u32,   // index of the result in `results`
    fresh: u32,  // 0: combine with the result of earlier shards
    padding0: u32,
    padding1: u32,
    padding2: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
{% if storage == "values" %}
@group(0) @binding(1) var<storage, read> values: array<u32>; // as bits, which keeps the payload of a NaN
fn bits_of(index: u32) -> u32 { return values[params.offset + index]; }
{% else %}
{{ w.declare(storage, dtype, columns, tile, 1) }}
{% set quantized = dtype not in ("f32", "bf16", "f16") %}
{% if quantized %}
{{ q.parts(dtype) }}
{% endif %}
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
{% if storage != "values" and quantized %}
        let inside = result.y - params.offset;
        // The best value so far may be in an earlier shard, which has written it.
        if (result.y == best[0].y) {
            let parts = weight_parts(inside / COLUMNS, inside % COLUMNS);
            results[MOST + 2u * params.slot] = parts.xy;
            results[MOST + 2u * params.slot + 1u] = vec2u(parts.z, 0u);
        }
{% endif %}
    }
}

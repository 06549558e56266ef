// One token: unnormalized attention of one head over one span of keys. Grid: (heads, spans of the longest context);
// workgroups of spans past the current row return. The next kernel merges the spans.
{% include "common/state.wgsl" %}
const CHANNELS = {{ channels }}u;
const HEAD_SIZE = {{ head_size }}u;
const HEAD_QUADS = HEAD_SIZE / 4u;
const CONTEXT = {{ context }}u;
const SPAN = {{ span }}u; // keys per span, one thread per key
const PARTS = max(1u, SPAN / HEAD_QUADS);
const SCALE = {{ scale }};
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<storage, read> query: array<vec4f>;
@group(0) @binding(2) var<storage, read> cache: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> mixed: array<vec4f>;  // [spans, channel quads]
@group(0) @binding(4) var<storage, read_write> weights: array<vec2f>; // [spans, heads]: largest score, sum of exp

var<workgroup> q: array<vec4f, HEAD_QUADS>;
var<workgroup> e: array<f32, SPAN>;
var<workgroup> reduced: array<f32, SPAN>;
var<workgroup> sums: array<vec4f, PARTS * HEAD_QUADS>;

@compute @workgroup_size({{ span }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let head = group.x;
    let keys = state.first_row + 1u;
    let start = group.y * SPAN;
    if (start >= keys || state.done != 0u) { return; }
    for (var i = thread; i < HEAD_QUADS; i += SPAN) { q[i] = query[head * HEAD_QUADS + i]; }
    workgroupBarrier();

    let key = start + thread;
    var score = -3.4e38;
    if (key < keys) {
        var sum = 0.0;
        for (var quad = 0u; quad < HEAD_QUADS; quad++) {
            sum += dot(q[quad], cache[(head * HEAD_QUADS + quad) * CONTEXT + key]);
        }
        score = sum * SCALE;
    }
    reduced[thread] = score;
    for (var half = SPAN / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { reduced[thread] = max(reduced[thread], reduced[thread + half]); }
    }
    workgroupBarrier();
    let highest = reduced[0];
    workgroupBarrier();
    let mine = select(0.0, exp(score - highest), key < keys);
    e[thread] = mine;
    reduced[thread] = mine;
    for (var half = SPAN / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { reduced[thread] += reduced[thread + half]; }
    }
    workgroupBarrier();

    let count = min(SPAN, keys - start);
    for (var slot = thread; slot < PARTS * HEAD_QUADS; slot += SPAN) {
        let quad = slot % HEAD_QUADS;
        var sum = vec4f(0.0);
        for (var i = slot / HEAD_QUADS; i < count; i += PARTS) {
            sum += e[i] * cache[CHANNELS / 4u * CONTEXT + (head * CONTEXT + start + i) * HEAD_QUADS + quad];
        }
        sums[slot] = sum;
    }
    workgroupBarrier();
    for (var quad = thread; quad < HEAD_QUADS; quad += SPAN) {
        var sum = sums[quad];
        for (var part = 1u; part < PARTS; part++) { sum += sums[part * HEAD_QUADS + quad]; }
        mixed[group.y * (CHANNELS / 4u) + head * HEAD_QUADS + quad] = sum;
    }
    if (thread == 0u) { weights[group.y * {{ heads }}u + head] = vec2f(highest, reduced[0]); }
}

// Attention of decode_layer: one workgroup a (head, span of keys), unnormalised; the projection merges the spans.
const SCALE = {{ scale }};
const KEY_PARTS = max(1u, THREADS / SPAN);               // threads that share a key
const KEY_QUADS = (HEAD_QUADS + KEY_PARTS - 1u) / KEY_PARTS; // quads of each
const VALUE_PARTS = max(1u, THREADS / HEAD_QUADS);       // threads that share a quad of the values
const VALUE_KEYS = (SPAN + VALUE_PARTS - 1u) / VALUE_PARTS; // keys of each
const LANE_KEYS = (SPAN + LANES - 1u) / LANES;
var<workgroup> part_scores: array<f32, KEY_PARTS * SPAN>;
var<workgroup> chances: array<f32, SPAN>;
var<workgroup> part_values: array<vec4f, VALUE_PARTS * HEAD_QUADS>;

fn attention(head: u32, span: u32, keys: u32, thread: u32, team: u32, lane: u32) {
    let start = span * SPAN;
    if (start >= keys) { return; }
    let last = keys - 1u;
    // Values do not wait for the scores: all loads are under way at once.
    let value_quad = thread % HEAD_QUADS;
    let value_part = thread / HEAD_QUADS;
    var values: array<vec4f, VALUE_KEYS>;
    for (var i = 0u; i < VALUE_KEYS; i++) {
        let t = min(start + value_part * VALUE_KEYS + i, last);
        values[i] = cache[CHANNEL_QUADS * WINDOW + (head * WINDOW + t) * HEAD_QUADS + value_quad];
    }
    let key = thread % SPAN;
    let key_part = thread / SPAN;
    let t = min(start + key, last);
    var score = 0.0;
    for (var i = 0u; i < KEY_QUADS; i++) {
        let quad = key_part * KEY_QUADS + i;
        if (quad < HEAD_QUADS) {
            score += dot(query[head * HEAD_QUADS + quad], cache[(head * HEAD_QUADS + quad) * WINDOW + t]);
        }
    }
    part_scores[key_part * SPAN + key] = score * SCALE;
    workgroupBarrier();
    var mine: array<f32, LANE_KEYS>;
    var highest = -3.4e38;
    for (var i = 0u; i < LANE_KEYS; i++) {
        let k = lane + i * LANES;
        var sum = 0.0;
        for (var part = 0u; part < KEY_PARTS; part++) { sum += part_scores[part * SPAN + min(k, SPAN - 1u)]; }
        mine[i] = select(-3.4e38, sum, k < SPAN && start + k < keys);
        highest = max(highest, mine[i]);
    }
    highest = subgroupMax(highest);
    var total = 0.0;
    for (var i = 0u; i < LANE_KEYS; i++) {
        let k = lane + i * LANES;
        let inside = k < SPAN && start + k < keys;
        let e = select(0.0, exp(mine[i] - highest), inside);
        total += e;
        if (team == 0u && k < SPAN) { chances[k] = e; }
    }
    total = subgroupAdd(total);
    workgroupBarrier();
    if (value_part < VALUE_PARTS) {
        var sum = vec4f(0.0);
        for (var i = 0u; i < VALUE_KEYS; i++) {
            // Keys past the end have chance zero, and the last key's value in their place.
            let k = value_part * VALUE_KEYS + i;
            if (k < SPAN) { sum += chances[k] * values[i]; }
        }
        part_values[value_part * HEAD_QUADS + value_quad] = sum;
    }
    workgroupBarrier();
    if (thread < HEAD_QUADS) {
        var sum = part_values[thread];
        for (var part = 1u; part < VALUE_PARTS; part++) { sum += part_values[part * HEAD_QUADS + thread]; }
        mixed[span * CHANNEL_QUADS + head * HEAD_QUADS + thread] = sum;
    }
    if (thread == 0u) { shares[span * HEADS + head] = vec2f(highest, total); }
}

// Quad `quad` of attention's output from all spans, four at a time so that their loads overlap.
fn merged(quad: u32, spans: u32) -> vec4f {
    let head = quad / HEAD_QUADS;
    var highest = -3.4e38;
    var total = 0.0;
    var sum = vec4f(0.0);
    for (var first = 0u; first < spans; first += 4u) {
        var share: array<vec2f, 4>;
        var value: array<vec4f, 4>;
        for (var i = 0u; i < 4u; i++) {
            let s = min(first + i, spans - 1u);
            share[i] = shares[s * HEADS + head];
            value[i] = mixed[s * CHANNEL_QUADS + quad];
        }
        var top = highest;
        for (var i = 0u; i < 4u; i++) { top = max(top, share[i].x); }
        let shrink = exp(highest - top);
        total *= shrink;
        sum *= shrink;
        for (var i = 0u; i < 4u; i++) {
            let weight = select(0.0, exp(share[i].x - top), first + i < spans);
            total += weight * share[i].y;
            sum += weight * value[i];
        }
        highest = top;
    }
    return sum / total;
}

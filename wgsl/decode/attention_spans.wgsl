// One token: unnormalized attention of all heads that share a key-value head, over one span of keys. The next kernel
// merges the spans. Grid: (key-value heads, most spans); workgroups of spans past the current row return.
// A span is computed block by block; each key and value is loaded once, before anything waits. Loops over registers are
// unrolled, since an array indexed by a loop counter may be placed in memory.
// threads: a multiple of block, and of at least a head's quads; sum_heads: whose values are summed in workgroup memory at once.
{% import "common/kv_cache.wgsl" as kv %}
{% import "common/heads.wgsl" as h %}
{% import "common/score.wgsl" as s %}
{% import "decode/common/spans.wgsl" as sp %}
{% include "common/state.wgsl" %}
{% set quads = head_size // 4 %}
{% set group = heads // kv_heads %}
{% set key_parts = threads // block %}
{% set key_quads = (quads + key_parts - 1) // key_parts %}
{% set value_parts = threads // quads %}
{% set value_keys = (block + value_parts - 1) // value_parts %}
{% set slots = (group * block + threads - 1) // threads %}
{% set tops = 8 if block % 8 == 0 else 1 %}
const THREADS = {{ threads }}u;
const HEADS = {{ heads }}u;
const HEAD_QUADS = {{ quads }}u;
const KV_QUADS = {{ kv_heads }}u * HEAD_QUADS;
const GROUP = {{ group }}u; // heads that share a key-value head
const CONTEXT = {{ context }}u;
const VALUE_PARTS = {{ value_parts }}u; // threads that share the sum over keys of one quad
const TOPS = {{ tops }}u; // threads that share the search for a head's largest score
{{ sp.declare(block, most_spans, window) }}
@group(0) @binding(0) var<storage, read> state: State;
{{ h.reader("query", 1, query_columns, query_first, query_step) }}
{{ kv.reader("buffer", 2) }}
@group(0) @binding(3) var<storage, read_write> mixed: array<vec4f>;  // [spans, quads of all heads]
@group(0) @binding(4) var<storage, read_write> shares: array<vec2f>; // [spans, heads]: largest score, sum of exponentials
{{ s.declare(scale, cap) }}

var<workgroup> q: array<vec4f, GROUP * HEAD_QUADS>;
var<workgroup> part_scores: array<f32, {{ key_parts }}u * GROUP * BLOCK>;
var<workgroup> scores: array<f32, GROUP * BLOCK>;
var<workgroup> tops: array<f32, GROUP * TOPS>;
var<workgroup> exps: array<f32, GROUP * BLOCK>;
var<workgroup> shrinks: array<f32, GROUP>;
var<workgroup> sums: array<vec4f, {{ sum_heads }}u * VALUE_PARTS * HEAD_QUADS>;

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    if (state.done != 0u) { return; }
    let kv_head = group.x;
    let spans = spans_of(min(state.first_row, CONTEXT - 1u));
    if (group.y >= spans.count) { return; }
    let start = spans.start + group.y * spans.length;
    let end = min(start + spans.length, spans.end);

    let value_quad = thread % HEAD_QUADS;
    let value_part = thread / HEAD_QUADS;
    let key = thread % BLOCK;
    let key_part = thread / BLOCK;
    for (var i = thread; i < GROUP * HEAD_QUADS; i += THREADS) {
        q[i] = query(0u, kv_head * GROUP + i / HEAD_QUADS, i % HEAD_QUADS);
    }
{% for g in range(group) %}
    var sum{{ g }} = vec4f(0.0);
{% endfor %}
{% for i in range(slots) %}
    // Of score `slot`: the largest of its head so far, and the sum of exponentials of this key in all blocks.
    let slot{{ i }} = min(thread + {{ i * threads }}u, GROUP * BLOCK - 1u);
    var highest{{ i }} = -3.4e38;
    var total{{ i }} = 0.0;
{% endfor %}
    for (var first = start; first < end; first += BLOCK) {
{% for i in range(key_quads) %}
        let key{{ i }} = cached(
            min(first + key, end - 1u), kv_head * HEAD_QUADS + min(key_part * {{ key_quads }}u + {{ i }}u, HEAD_QUADS - 1u)
        );
{% endfor %}
{% for i in range(value_keys) %}
        let value{{ i }} = cached(
            min(first + value_part * {{ value_keys }}u + {{ i }}u, end - 1u), KV_QUADS + kv_head * HEAD_QUADS + value_quad
        );
{% endfor %}
        workgroupBarrier();
{% for g in range(group) %}
        var score{{ g }} = 0.0;
{% endfor %}
{% for i in range(key_quads) %}
{% if key_parts * key_quads > quads %}
        if (key_part * {{ key_quads }}u + {{ i }}u < HEAD_QUADS) {
{% else %}
        {
{% endif %}
            let quad = key_part * {{ key_quads }}u + {{ i }}u;
{% for g in range(group) %}
            score{{ g }} += dot(q[{{ g }}u * HEAD_QUADS + quad], key{{ i }});
{% endfor %}
        }
{% endfor %}
{% for g in range(group) %}
        part_scores[(key_part * GROUP + {{ g }}u) * BLOCK + key] = score{{ g }};
{% endfor %}
        workgroupBarrier();
{% for i in range(slots) %}
        let inside{{ i }} = first + slot{{ i }} % BLOCK < end;
        var of_slot{{ i }} = 0.0;
{% for part in range(key_parts) %}
        of_slot{{ i }} += part_scores[{{ part }}u * GROUP * BLOCK + slot{{ i }}];
{% endfor %}
        of_slot{{ i }} = select(-3.4e38, score_of(of_slot{{ i }}), inside{{ i }});
        if (thread + {{ i * threads }}u < GROUP * BLOCK) { scores[slot{{ i }}] = of_slot{{ i }}; }
{% endfor %}
        workgroupBarrier();
        for (var i = thread; i < GROUP * TOPS; i += THREADS) {
            var top = -3.4e38;
            for (var k = i % TOPS; k < BLOCK; k += TOPS) { top = max(top, scores[i / TOPS * BLOCK + k]); }
            tops[i] = top;
        }
        workgroupBarrier();
{% for i in range(slots) %}
        {
            let head = slot{{ i }} / BLOCK;
            var top = highest{{ i }};
{% for part in range(tops) %}
            top = max(top, tops[head * TOPS + {{ part }}u]);
{% endfor %}
            let shrink = exp(highest{{ i }} - top);
            let e = select(0.0, exp(of_slot{{ i }} - top), inside{{ i }});
            highest{{ i }} = top;
            total{{ i }} = total{{ i }} * shrink + e;
            if (thread + {{ i * threads }}u < GROUP * BLOCK) {
                exps[slot{{ i }}] = e;
                if (slot{{ i }} % BLOCK == 0u) { shrinks[head] = shrink; }
            }
        }
{% endfor %}
        workgroupBarrier();
{% for g in range(group) %}
        sum{{ g }} *= shrinks[{{ g }}];
{% endfor %}
{% for i in range(value_keys) %}
        {
            let k = value_part * {{ value_keys }}u + {{ i }}u;
            if (k < BLOCK) {
{% for g in range(group) %}
                sum{{ g }} += exps[{{ g }}u * BLOCK + k] * value{{ i }};
{% endfor %}
            }
        }
{% endfor %}
    }

    // Nobody reads the scores any more: here are the sums of exponentials per key.
{% for i in range(slots) %}
    if (thread + {{ i * threads }}u < GROUP * BLOCK) { scores[slot{{ i }}] = total{{ i }}; }
{% endfor %}
{% for first in range(0, group, sum_heads) %}
{% set count = [sum_heads, group - first] | min %}
{% if first %}
    workgroupBarrier();
{% endif %}
    if (value_part < VALUE_PARTS) {
{% for g in range(count) %}
        sums[{{ g }}u * VALUE_PARTS * HEAD_QUADS + thread] = sum{{ first + g }};
{% endfor %}
    }
    workgroupBarrier();
    for (var i = thread; i < {{ count }}u * HEAD_QUADS; i += THREADS) {
        var sum = vec4f(0.0);
        for (var part = 0u; part < VALUE_PARTS; part++) {
            sum += sums[(i / HEAD_QUADS * VALUE_PARTS + part) * HEAD_QUADS + i % HEAD_QUADS];
        }
        mixed[(group.y * HEADS + kv_head * GROUP + {{ first }}u) * HEAD_QUADS + i] = sum;
    }
{% endfor %}
{% for i in range(slots) %}
    if (thread + {{ i * threads }}u < GROUP * BLOCK && slot{{ i }} % BLOCK == 0u) {
        var total = 0.0;
        for (var k = 0u; k < BLOCK; k++) { total += scores[slot{{ i }} + k]; }
        shares[group.y * HEADS + kv_head * GROUP + slot{{ i }} / BLOCK] = vec2f(highest{{ i }}, total);
    }
{% endfor %}
}

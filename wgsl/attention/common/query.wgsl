{% import "common/heads.wgsl" as h %}
{% import "common/score.wgsl" as s %}
const HEAD_QUADS = {{ head_size // 4 }}u;
const GROUP = {{ heads // kv_heads }}u; // heads that share a key head
const WINDOW = {{ window if window else context }}u; // tokens that a query sees
{{ h.reader("query_of", query_binding, query_columns, query_first, query_step) }}
{{ h.reader("key_of", key_binding, key_columns, key_first, key_step) }}
{{ s.declare(scale, cap) }}

var<workgroup> query: array<vec4f, HEAD_QUADS>;

// Loads the query of one row and head; all threads must call it. Needs THREADS.
fn load_query(row: u32, head: u32, thread: u32) {
    for (var quad = thread; quad < HEAD_QUADS; quad += THREADS) { query[quad] = query_of(row, head, quad); }
    workgroupBarrier();
}

// The score of the loaded query and the key in row `t`.
fn key_score(t: u32, head: u32) -> f32 {
    var score = 0.0;
    for (var quad = 0u; quad < HEAD_QUADS; quad++) { score += dot(query[quad], key_of(t, head / GROUP, quad)); }
    return score_of(score);
}

const CHANNEL_QUADS = {{ channels // 4 }}u;
const HEAD_QUADS = {{ head_size // 4 }}u;
const SCALE = {{ scale }};

var<workgroup> query: array<vec4f, HEAD_QUADS>;

// Loads the query of one row and head; all threads must call it. Needs `qkv` [context, 3 * channels] and THREADS.
fn load_query(row: u32, head: u32, thread: u32) {
    for (var quad = thread; quad < HEAD_QUADS; quad += THREADS) {
        query[quad] = qkv[row * 3u * CHANNEL_QUADS + head * HEAD_QUADS + quad];
    }
    workgroupBarrier();
}

// The score of the loaded query and the key in row `t`: their product / sqrt(head size).
fn score_of(t: u32, head: u32) -> f32 {
    let key = (t * 3u + 1u) * CHANNEL_QUADS + head * HEAD_QUADS;
    var score = 0.0;
    for (var quad = 0u; quad < HEAD_QUADS; quad++) { score += dot(query[quad], qkv[key + quad]); }
    return score * SCALE;
}

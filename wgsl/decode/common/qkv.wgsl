// Products whose outputs are queries, keys and values, in blocks of SIZE columns, one block per head. A team computes a
// pair of channels of a block: a pair that is rotated together, or neighbors. Queries go to `queries`, keys and values to
// the cache. query_part, query_block, query_step, and so for keys and values: the matrix, the block of head 0 in its
// outputs, and blocks from a head to the next. queries_first, queries_step: where heads are in `queries`, in columns.
{% import "common/kv_cache.wgsl" as kv %}
const SIZE = {{ head_size }}u;
const HALF = SIZE / 2u;
const KV_QUADS = {{ kv_heads * head_size // 4 }}u;
const HEAD_QUADS = SIZE / 4u;
const CONTEXT = {{ context }}u;
const PAIRS = {{ pairs }}u; // that are rotated, of HALF
@group(0) @binding(15) var<storage, read_write> queries: array<f32>;
@group(0) @binding(16) var<storage, read_write> cache: array<f32>; // see common/kv_cache.wgsl
{{ kv.buffer_index() }}
{% if pairs %}
const FINE = {{ fine }}u;
@group(0) @binding(17) var<storage, read> rotations: array<vec2f>;
{% include "common/rotation.wgsl" %}
{% endif %}

// The two channels of pair `pair` of a head.
fn channels_of(pair: u32) -> vec2u {
{% if pairs and not interleaved %}
    if (pair < PAIRS) { return vec2u(pair, pair + PAIRS); }
{% endif %}
    return vec2u(2u * pair, 2u * pair + 1u);
}

fn keep_channels(row: u32, first: u32, channels: vec2u, pair: vec2f) {
    let low = first + channels.x;
    let high = first + channels.y;
    cache[cache_index(row, low / 4u) * 4u + low % 4u] = pair.x;
    cache[cache_index(row, high / 4u) * 4u + high % 4u] = pair.y;
}

{% if trace %}
fn keep_pair(at: u32, channels: vec2u, pair: vec2f) {
    activations[at + channels.x] = pair.x;
    activations[at + channels.y] = pair.y;
}

{% endif %}
{# Opens a branch for outputs of heads, with the number `head` of theirs. #}
{% macro of_heads(count, matrix, first, step) %}
    if (part == {{ matrix }}u && block >= {{ first }}u && block < {{ first + count * step }}u
        && (block - {{ first }}u) % {{ step }}u == 0u) {
        let head = (block - {{ first }}u) / {{ step }}u;
{% endmacro %}
// Stores pair `pair` of a matrix's outputs, after adding biases. turn: its rotation.
fn store_pair(part: u32, pair: u32, product: vec2f, row: u32{{ ", turn: vec2f" if pairs }}) {
    let block = pair / HALF;
    let channels = channels_of(pair % HALF);
{% if trace %}
    keep_pair(params.parts[part].offset + row * params.parts[part].outs + block * SIZE, channels, product);
{% endif %}
{% if pairs %}
    var rotated = product;
    if (pair % HALF < PAIRS) {
        rotated = vec2f(product.x * turn.x - product.y * turn.y, product.y * turn.x + product.x * turn.y);
    }
{% else %}
    let rotated = product;
{% endif %}
{{ of_heads(heads, query_part, query_block, query_step) }}
        let to = {{ queries_first }}u + head * {{ queries_step }}u;
        queries[to + channels.x] = rotated.x;
        queries[to + channels.y] = rotated.y;
{% if trace and pairs %}
        keep_pair(params.query_offset + (row * {{ heads }}u + head) * SIZE, channels, rotated);
{% endif %}
    }
{{ of_heads(kv_heads, key_part, key_block, key_step) }}
        keep_channels(row, head * SIZE, channels, rotated);
{% if trace and pairs %}
        keep_pair(params.key_offset + (row * {{ kv_heads }}u + head) * SIZE, channels, rotated);
{% endif %}
    }
{{ of_heads(kv_heads, value_part, value_block, value_step) }}
        keep_channels(row, 4u * KV_QUADS + head * SIZE, channels, product);
    }
}

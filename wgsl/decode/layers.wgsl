// One token through several whole blocks in one dispatch, consecutive ones of those that are bound. The five stages of a block (queries, keys and values;
// attention; its projection; the two matrices of the MLP) are consecutive ranges of workgroups, block after block. Every
// word that a stage hands to the next carries a tag, its lowest bit, which tells it from what was there before; a
// workgroup polls the words that it needs until all have the tag (see decode/common/tagged.wgsl). So a word and the
// news that it is there arrive together, and nothing orders one word after another. GPUs start workgroups in order, so
// those that are waited for are always running or finished; while a workgroup waits, its weights are being loaded.
// A wait that takes far too long is abandoned and sets the stall flag, which the host checks: the engine then uses other
// kernels.
{% import "decode/common/chain.wgsl" as c %}
{% import "decode/common/tagged.wgsl" as t %}
{% import "common/kv_cache.wgsl" as kv %}
{% import "common/weight.wgsl" as w %}
{% include "common/state.wgsl" %}
{% include "common/gelu.wgsl" %}
{% set teams = threads // lanes %}
{% set wide = 4 * channels %}
{% set spans = (context + span - 1) // span %}
{% set rows = {"qkv": qkv_rows, "attn_proj": attn_proj_rows, "fc": fc_rows, "mlp_proj": mlp_proj_rows} %}
{# How the threads of a workgroup of attention divide keys and values. #}
{% set head_quads = head_size // 4 %}
{% set key_parts = [1, threads // span] | max %}
{% set key_quads = (head_quads + key_parts - 1) // key_parts %}
{% set value_parts = [1, threads // head_quads] | max %}
{% set value_keys = (span + value_parts - 1) // value_parts %}
{% set lane_keys = (span + lanes - 1) // lanes %}
const CHANNELS = {{ channels }}u;
const CHANNEL_QUADS = CHANNELS / 4u;
const KV_QUADS = CHANNEL_QUADS;
const HEADS = {{ heads }}u;
const HEAD_SIZE = {{ head_size }}u;
const HEAD_QUADS = HEAD_SIZE / 4u;
const CONTEXT = {{ context }}u;
const THREADS = {{ threads }}u;
const LANES = {{ lanes }}u;
const TEAMS = THREADS / LANES;
const SPAN = {{ span }}u; // keys per workgroup of attention
const SPANS = {{ spans }}u;
const QKV_GROUPS = {{ c.groups(3 * channels, teams, rows.qkv) }}u;
const PROJ_GROUPS = {{ c.groups(channels, teams, rows.attn_proj) }}u;
const FC_GROUPS = {{ c.groups(wide, teams, rows.fc) }}u;
const PRODUCT_GROUPS = QKV_GROUPS + PROJ_GROUPS + FC_GROUPS + {{ c.groups(channels, teams, rows.mlp_proj) }}u;
const PATIENCE = {{ patience }}u; // polls
struct Block {
    tag: u32,         // 0 or 1, of what the block hands on; what its part contained before has the other
    part: u32,        // of `handed`
    ln_1_offset: u32, // all offsets are in the activation buffer, in elements
    qkv_offset: u32,
    mixed_offset: u32,
    attn_proj_offset: u32,
    resid_mid_offset: u32,
    ln_2_offset: u32,
    fc_offset: u32,
    gelu_offset: u32,
    mlp_proj_offset: u32,
    resid_post_offset: u32,
}
struct Params {
    first: u32, // of the bound blocks, that this dispatch runs
    count: u32, // blocks
    unused_0: u32,
    unused_1: u32,
    blocks: array<Block, {{ blocks }}>,
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> stall: array<atomic<u32>>; // word 0 is the flag
@group(0) @binding(3) var<storage, read_write> handed: array<atomic<u32>>; // tagged words, at the places below
@group(0) @binding(4) var<storage, read> x_in: array<f32>;  // [channels], of the first block
@group(0) @binding(5) var<storage, read_write> x_out: array<f32>; // [channels], of the last block
{% for b in range(blocks) %}
{% set first = 6 + b * 14 %}
@group(0) @binding({{ first }}) var<storage, read_write> cache_{{ b }}: array<vec4f>;
@group(0) @binding({{ first + 1 }}) var<storage, read> ln_1_scale_{{ b }}: array<f32>;
@group(0) @binding({{ first + 2 }}) var<storage, read> ln_1_shift_{{ b }}: array<f32>;
@group(0) @binding({{ first + 3 }}) var<storage, read> qkv_weight_{{ b }}: array<{{ c.weight_type(dtype, channels) }}>;
@group(0) @binding({{ first + 4 }}) var<storage, read> qkv_bias_{{ b }}: array<f32>;
@group(0) @binding({{ first + 5 }}) var<storage, read> attn_proj_weight_{{ b }}: array<{{ c.weight_type(dtype, channels) }}>;
@group(0) @binding({{ first + 6 }}) var<storage, read> attn_proj_bias_{{ b }}: array<f32>;
@group(0) @binding({{ first + 7 }}) var<storage, read> ln_2_scale_{{ b }}: array<f32>;
@group(0) @binding({{ first + 8 }}) var<storage, read> ln_2_shift_{{ b }}: array<f32>;
@group(0) @binding({{ first + 9 }}) var<storage, read> fc_weight_{{ b }}: array<{{ c.weight_type(dtype, channels) }}>;
@group(0) @binding({{ first + 10 }}) var<storage, read> fc_bias_{{ b }}: array<f32>;
@group(0) @binding({{ first + 11 }}) var<storage, read> mlp_proj_weight_{{ b }}: array<{{ c.weight_type(dtype, wide) }}>;
@group(0) @binding({{ first + 12 }}) var<storage, read> mlp_proj_bias_{{ b }}: array<f32>;
{% if trace %}
@group(0) @binding({{ first + 13 }}) var<storage, read_write> activations_{{ b }}: array<f32>;
{% endif %}
{% endfor %}
// Places in a part of `handed`, in words. No dispatch writes a part twice.
const FRESH = 0u;                                   // query, key and value of this token: [3, channels]
const MIXED = FRESH + 3u * CHANNELS;                // [spans, channels], unnormalized
const SHARES = MIXED + SPANS * CHANNELS;            // [spans, heads, 2]: largest score, sum of exponentials
const MID = SHARES + 2u * SPANS * HEADS;            // [channels]
const HIDDEN = MID + CHANNELS;                      // [4 channels]
const STREAM = HIDDEN + 4u * CHANNELS;              // [channels], for the next block
const PART = STREAM + CHANNELS;
var<workgroup> x: array<vec4f, CHANNELS>; // the vector that the workgroup multiplies, up to 4 CHANNELS long
var<workgroup> team_sums: array<f32, 2u * TEAMS>;
var<workgroup> span_shares: array<vec2f, SPANS * HEADS>; // as SHARES
var<workgroup> span_factors: array<f32, SPANS * HEADS>;
var<workgroup> part_scores: array<f32, {{ [threads, span] | max }}>;
var<workgroup> exps: array<f32, SPAN>;
var<workgroup> part_values: array<vec4f, {{ value_parts }}u * HEAD_QUADS>;
const SCALE = {{ scale }};
{{ w.unpack_pairs(dtype) }}
{{ kv.buffer_index() }}
{{ t.functions() }}

{% if trace %}
// Keeps an activation of a block.
fn keep(block: u32, at: u32, value: f32) {
{{ c.of_block(blocks, "activations_@[at] = value;\n") }}
}
{% endif %}

@compute @workgroup_size({{ threads }})
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) team: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let row = state.first_row;
    if (state.done != 0u) { return; }
    // The grid has room for all spans of the context. Workgroups that are not needed come last.
    let attention_groups = HEADS * (row / SPAN + 1u);
    let block_groups = PRODUCT_GROUPS + attention_groups;
    if (group.x >= params.count * block_groups) { return; }
    let block = params.first + group.x / block_groups;
    var at = group.x % block_groups;
    if (at < QKV_GROUPS) { qkv(block, at, row, thread, team, lane); return; }
    at -= QKV_GROUPS;
    if (at < attention_groups) { attention(block, at % HEADS, at / HEADS, row + 1u, thread, team, lane); return; }
    at -= attention_groups;
    if (at < PROJ_GROUPS) { attn_proj(block, at, row, thread, team, lane); return; }
    at -= PROJ_GROUPS;
    if (at < FC_GROUPS) { fc(block, at, row, thread, team, lane); return; }
    mlp_proj(block, at - FC_GROUPS, row, thread, team, lane);
}

{% include "decode/common/chain_stages.wgsl" %}
{% include "decode/common/chain_attention.wgsl" %}

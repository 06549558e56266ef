// One token through a whole block in one dispatch. The five stages of a block (queries, keys and values; attention; its
// projection; the two matrices of the MLP) are consecutive ranges of workgroups. A stage waits until all workgroups of
// the previous stage have counted themselves as finished. GPUs start workgroups in order, so the previous stage is
// always running or finished; while a workgroup waits, its weights are being loaded. A vector is read only after the
// stage that writes it has finished. It is written once and shares no cache line with anything else, so no first-level
// cache can contain stale values. A wait that takes far too long is abandoned and sets FAILED, which the host checks:
// the engine then uses other kernels.
{% import "decode/common/chain.wgsl" as c %}
{% import "common/kv_cache.wgsl" as kv %}
{% import "common/weight.wgsl" as w %}
{% include "common/state.wgsl" %}
{% include "common/gelu.wgsl" %}
const CHANNELS = {{ channels }}u;
const CHANNEL_QUADS = CHANNELS / 4u;
const KV_QUADS = CHANNEL_QUADS;
const HEADS = {{ heads }}u;
const HEAD_QUADS = {{ head_size // 4 }}u;
const CONTEXT = {{ context }}u;
const THREADS = {{ threads }}u;
const LANES = {{ lanes }}u;
const TEAMS = THREADS / LANES;
const SPAN = {{ span }}u; // keys per workgroup of attention
const SPANS = {{ (context + span - 1) // span }}u;
{% set teams = threads // lanes %}
const QKV_GROUPS = {{ (3 * channels + 2 * teams - 1) // (2 * teams) }}u;
const ATTENTION_GROUPS = HEADS * SPANS;
const PROJ_GROUPS = {{ (channels + teams - 1) // teams }}u;
const FC_GROUPS = {{ (4 * channels + 2 * teams - 1) // (2 * teams) }}u;
const COUNTER_STRIDE = 32u; // words: each counter has its own cache line
const FAILED = 0u; // counter 0 is the flag; stage counters follow
const PATIENCE = {{ patience }}u; // polls
struct Params {
    layer: u32,
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
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> counters: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read> x_in: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> x_mid: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> x_out: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> fresh: array<vec4f>; // query, key and value of this token
@group(0) @binding(7) var<storage, read_write> mixed: array<vec4f>;  // [spans, channel quads]
@group(0) @binding(8) var<storage, read_write> shares: array<vec2f>; // [spans, heads]: largest score, sum of exp
@group(0) @binding(9) var<storage, read_write> hidden: array<vec4f>;
@group(0) @binding(10) var<storage, read_write> cache: array<vec4f>;
@group(0) @binding(11) var<storage, read> ln_1_scale: array<vec4f>;
@group(0) @binding(12) var<storage, read> ln_1_shift: array<vec4f>;
@group(0) @binding(13) var<storage, read> qkv_weight: array<{{ c.weight_type(dtype, channels) }}>;
@group(0) @binding(14) var<storage, read> qkv_bias: array<f32>;
@group(0) @binding(15) var<storage, read> attn_proj_weight: array<{{ c.weight_type(dtype, channels) }}>;
@group(0) @binding(16) var<storage, read> attn_proj_bias: array<f32>;
@group(0) @binding(17) var<storage, read> ln_2_scale: array<vec4f>;
@group(0) @binding(18) var<storage, read> ln_2_shift: array<vec4f>;
@group(0) @binding(19) var<storage, read> fc_weight: array<{{ c.weight_type(dtype, channels) }}>;
@group(0) @binding(20) var<storage, read> fc_bias: array<f32>;
@group(0) @binding(21) var<storage, read> mlp_proj_weight: array<{{ c.weight_type(dtype, 4 * channels) }}>;
@group(0) @binding(22) var<storage, read> mlp_proj_bias: array<f32>;
{% if trace %}
@group(0) @binding(23) var<storage, read_write> activations: array<f32>;
fn keep4(at: u32, value: vec4f) {
    for (var i = 0u; i < 4u; i++) { activations[at + i] = value[i]; }
}
{% endif %}
{{ w.unpack_pairs(dtype) }}
{{ kv.buffer_index() }}

// Counts this workgroup as finished with `stage`, after everything that it has written.
fn finish(stage: u32, thread: u32) {
    storageBarrier();
    if (thread == 0u) { atomicAdd(&counters[(params.layer * 4u + stage + 1u) * COUNTER_STRIDE], 1u); }
}
// Waits until `groups` workgroups have finished `stage`.
fn await_stage(stage: u32, groups: u32, thread: u32) {
    if (thread == 0u) {
        let at = (params.layer * 4u + stage + 1u) * COUNTER_STRIDE;
        var polls = 0u;
        while (atomicLoad(&counters[at]) < groups) {
            polls++;
            if (polls > PATIENCE) {
                atomicStore(&counters[FAILED], 1u);
                break;
            }
        }
    }
    storageBarrier();
}

{% include "decode/common/chain_attention.wgsl" %}

@compute @workgroup_size({{ threads }})
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) team: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let row = state.first_row;
    if (state.done != 0u) { return; }
    var at = group.x;
    if (at < QKV_GROUPS) {
        let first = (at * TEAMS + team) * 2u;
{{ c.fetch("qkv_weight", dtype, channels, 3 * channels, lanes, 2, "first") }}
{{ c.norm_fetch("ln_1_scale", "ln_1_shift", dtype, channels, lanes) }}
        let bias0 = qkv_bias[min(first, 3u * CHANNELS - 1u)];
        let bias1 = qkv_bias[min(first + 1u, 3u * CHANNELS - 1u)];
{{ c.gather("x_in", dtype, channels, lanes) }}
{{ c.norm(dtype, channels, lanes, trace, "0u", "params.ln_1_offset") }}
{{ c.product(dtype, channels, lanes, 2) }}
        if (lane == 0u) {
            store_qkv(first, y0 + bias0, row);
            store_qkv(first + 1u, y1 + bias1, row);
        }
        finish(0u, thread);
        return;
    }
    at -= QKV_GROUPS;
    if (at < ATTENTION_GROUPS) {
        attention(at % HEADS, at / HEADS, row + 1u, thread, team, lane);
        finish(1u, thread);
        return;
    }
    at -= ATTENTION_GROUPS;
    if (at < PROJ_GROUPS) {
        let first = at * TEAMS + team;
        let out = min(first, CHANNELS - 1u);
{{ c.fetch("attn_proj_weight", dtype, channels, channels, lanes, 1, "first") }}
        let bias = attn_proj_bias[out];
        let before = x_in[out / 4u][out % 4u];
        await_stage(1u, ATTENTION_GROUPS, thread);
        for (var quad = thread; quad < CHANNEL_QUADS; quad += THREADS) {
            let value = merged(quad, row / SPAN + 1u);
            mixture[quad] = value;
{% if trace %}
            if (at == 0u) { keep4(params.mixed_offset + row * CHANNELS + quad * 4u, value); }
{% endif %}
        }
        workgroupBarrier();
{{ c.gather("mixture", dtype, channels, lanes) }}
{{ c.product(dtype, channels, lanes, 1) }}
        if (lane == 0u && first < CHANNELS) {
            let value = y0 + bias;
            x_mid[out / 4u][out % 4u] = before + value;
{% if trace %}
            activations[params.attn_proj_offset + row * CHANNELS + out] = value;
            activations[params.resid_mid_offset + row * CHANNELS + out] = before + value;
{% endif %}
        }
        finish(2u, thread);
        return;
    }
    at -= PROJ_GROUPS;
    if (at < FC_GROUPS) {
        let first = (at * TEAMS + team) * 2u;
{{ c.fetch("fc_weight", dtype, channels, 4 * channels, lanes, 2, "first") }}
{{ c.norm_fetch("ln_2_scale", "ln_2_shift", dtype, channels, lanes) }}
        let bias0 = fc_bias[min(first, 4u * CHANNELS - 1u)];
        let bias1 = fc_bias[min(first + 1u, 4u * CHANNELS - 1u)];
        await_stage(2u, PROJ_GROUPS, thread);
{{ c.gather("x_mid", dtype, channels, lanes) }}
{{ c.norm(dtype, channels, lanes, trace, "QKV_GROUPS + ATTENTION_GROUPS + PROJ_GROUPS", "params.ln_2_offset") }}
{{ c.product(dtype, channels, lanes, 2) }}
        if (lane == 0u) {
            store_fc(first, y0 + bias0, row);
            store_fc(first + 1u, y1 + bias1, row);
        }
        finish(3u, thread);
        return;
    }
    at -= FC_GROUPS;
    let first = at * TEAMS + team;
    let out = min(first, CHANNELS - 1u);
{{ c.fetch("mlp_proj_weight", dtype, 4 * channels, channels, lanes, 1, "first") }}
    let bias = mlp_proj_bias[out];
    await_stage(3u, FC_GROUPS, thread);
    let before = x_mid[out / 4u][out % 4u];
{{ c.gather("hidden", dtype, 4 * channels, lanes) }}
{{ c.product(dtype, 4 * channels, lanes, 1) }}
    if (lane == 0u && first < CHANNELS) {
        let value = y0 + bias;
        x_out[out / 4u][out % 4u] = before + value;
{% if trace %}
        activations[params.mlp_proj_offset + row * CHANNELS + out] = value;
        activations[params.resid_post_offset + row * CHANNELS + out] = before + value;
{% endif %}
    }
}

fn store_qkv(out: u32, value: f32, row: u32) {
    if (out >= 3u * CHANNELS) { return; }
    fresh[out / 4u][out % 4u] = value;
    if (out >= CHANNELS) {
        let channel = out - CHANNELS;
        cache[cache_index(row, channel / 4u)][channel % 4u] = value;
    }
{% if trace %}
    activations[params.qkv_offset + row * 3u * CHANNELS + out] = value;
{% endif %}
}

fn store_fc(out: u32, value: f32, row: u32) {
    if (out >= 4u * CHANNELS) { return; }
    let after = gelu(value);
    hidden[out / 4u][out % 4u] = after;
{% if trace %}
    activations[params.fc_offset + row * 4u * CHANNELS + out] = value;
    activations[params.gelu_offset + row * 4u * CHANNELS + out] = after;
{% endif %}
}

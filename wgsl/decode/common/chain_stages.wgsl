{# The stages of decode/layers that are products. #}
{% macro places(base, inputs) %}{% for n in range((inputs + threads - 1) // threads) %}{{ "," if n }}{{ base }} + i{{ n }}{% endfor %}{% endmacro %}
{# What a product loads before any wait: weights, `bias`, and the parameters of the layer norm before it. #}
{% macro loads(name, inputs, outputs, team_rows, norm="") %}
    let first = (at * TEAMS + team) * {{ team_rows }}u;
    let out = first + lane;
    let channel = min(out, {{ outputs - 1 }}u);
{{ c.packs_of(dtype, inputs, outputs, lanes, team_rows, "first") }}
{{ c.indices(inputs, threads) }}
{{ c.norm_elements(inputs, threads) if norm }}
    var bias: f32;
{% set statements %}
{{ c.fetch(name ~ "_weight_@", dtype, inputs, outputs, lanes, team_rows) }}
{{ c.norm_fetch(norm ~ "_scale_@", norm ~ "_shift_@", inputs, threads) if norm }}
    bias = {{ name }}_bias_@[channel];
{% endset %}
{{ c.of_block(blocks, statements) }}
    let base = params.blocks[block].part * PART;
    let tag = params.blocks[block].tag;
{% endmacro %}
{# before: element `channel` of the stream that enters the block. #}
{% macro stream_before() %}
    var before: f32;
    if (block == params.first) {
        before = x_in[channel];
    } else {
        let source = params.blocks[block - 1u].part * PART;
        let source_tag = params.blocks[block - 1u].tag;
{{ t.take("stream", ["source + STREAM + channel"], "source_tag") }}
        before = untagged(stream0);
    }
{% endmacro %}
fn qkv(block: u32, at: u32, row: u32, thread: u32, team: u32, lane: u32) {
{{ loads("qkv", channels, 3 * channels, rows.qkv, "ln_1") }}
{% for n in range((channels + threads - 1) // threads) %}
    var v{{ n }}: f32;
{% endfor %}
    if (block == params.first) {
{% for n in range((channels + threads - 1) // threads) %}
        v{{ n }} = x_in[i{{ n }}];
{% endfor %}
    } else {
        let source = params.blocks[block - 1u].part * PART;
        let source_tag = params.blocks[block - 1u].tag;
{{ t.take("near", ["source + HIDDEN + number_of(at, 4u * CHANNELS)"], "source_tag") }}
{{ t.take("word", places("source + STREAM", channels).split(","), "source_tag") }}
{% for n in range((channels + threads - 1) // threads) %}
        v{{ n }} = untagged(word{{ n }});
{% endfor %}
    }
{{ c.norm(dtype, channels, threads, teams, trace, "params.blocks[block].ln_1_offset") }}
{{ c.product(dtype, channels, lanes, rows.qkv) }}
    if (lane < {{ rows.qkv }}u && out < 3u * CHANNELS) {
        let value = rounded(y + bias);
        hand_on(base + FRESH + out, value, tag);
        if (out >= CHANNELS) {
            let place = cache_index(row, (out - CHANNELS) / 4u);
{{ c.of_block(blocks, "            cache_@[place][out % 4u] = value;\n") }}
        }
{% if trace %}
        keep(block, params.blocks[block].qkv_offset + row * 3u * CHANNELS + out, value);
{% endif %}
    }
}

fn attn_proj(block: u32, at: u32, row: u32, thread: u32, team: u32, lane: u32) {
{{ loads("attn_proj", channels, channels, rows.attn_proj) }}
{{ stream_before() }}
{{ t.take("near", ["base + FRESH + number_of(at, 3u * CHANNELS)"], "tag") }}
{% include "decode/common/chain_merge.wgsl" %}
{{ c.product(dtype, channels, lanes, rows.attn_proj) }}
    if (lane < {{ rows.attn_proj }}u && out < CHANNELS) {
        let value = y + bias;
        let after = rounded(before + value);
        hand_on(base + MID + out, after, tag);
{% if trace %}
        keep(block, params.blocks[block].attn_proj_offset + row * CHANNELS + out, value);
        keep(block, params.blocks[block].resid_mid_offset + row * CHANNELS + out, after);
{% endif %}
    }
}

fn fc(block: u32, at: u32, row: u32, thread: u32, team: u32, lane: u32) {
{{ loads("fc", channels, wide, rows.fc, "ln_2") }}
{{ t.take("near", ["base + MIXED + number_of(at, CHANNELS)"], "tag") }}
{{ t.take("word", places("base + MID", channels).split(","), "tag") }}
{% for n in range((channels + threads - 1) // threads) %}
    let v{{ n }} = untagged(word{{ n }});
{% endfor %}
{{ c.norm(dtype, channels, threads, teams, trace, "params.blocks[block].ln_2_offset") }}
{{ c.product(dtype, channels, lanes, rows.fc) }}
    if (lane < {{ rows.fc }}u && out < 4u * CHANNELS) {
        let value = y + bias;
        let after = rounded(gelu(value));
        hand_on(base + HIDDEN + out, after, tag);
{% if trace %}
        keep(block, params.blocks[block].fc_offset + row * 4u * CHANNELS + out, value);
        keep(block, params.blocks[block].gelu_offset + row * 4u * CHANNELS + out, after);
{% endif %}
    }
}

fn mlp_proj(block: u32, at: u32, row: u32, thread: u32, team: u32, lane: u32) {
{{ loads("mlp_proj", wide, channels, rows.mlp_proj) }}
{{ t.take("near", ["base + MID + number_of(at, CHANNELS)"], "tag") }}
{{ t.take("word", (places("base + HIDDEN", wide) ~ ",base + MID + channel").split(","), "tag") }}
{% set steps = (wide + threads - 1) // threads %}
{% for n in range(steps) %}
{{ c.put(n, "untagged(word" ~ n ~ ")", dtype, wide, threads) }}
{% endfor %}
    let before = untagged(word{{ steps }});
    workgroupBarrier();
{{ c.product(dtype, wide, lanes, rows.mlp_proj) }}
    if (lane < {{ rows.mlp_proj }}u && out < CHANNELS) {
        let value = y + bias;
        let after = rounded(before + value);
        if (block == params.first + params.count - 1u) {
            x_out[out] = after;
        } else {
            hand_on(base + STREAM + out, after, tag);
        }
{% if trace %}
        keep(block, params.blocks[block].mlp_proj_offset + row * CHANNELS + out, value);
        keep(block, params.blocks[block].resid_post_offset + row * CHANNELS + out, after);
{% endif %}
    }
}

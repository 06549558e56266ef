// y[r, o] = sum_k x[r, k] * weight[o, k] + bias[o], as forward/matmul_rows, for software adapters whose subgroups are
// runs of at least 8 consecutive threads. Such an adapter runs a subgroup as one vector, and what costs is a load: the
// address of every lane is computed and checked by itself. So a lane loads one of 8 neighboring quads of x, and
// broadcasts pass them around; weights are read through a storage texture, which needs a third of the instructions that a
// sampled one takes. A workgroup is one subgroup. Each thread computes OUTS outputs for ROWS rows; sums are in the same
// order as there. Grid: (tiles of ROWS rows, tiles of LANES * OUTS outputs), so that tiles of rows share what they
// read of the matrix.
{% set storage, chunked, norm, stored = "image", true, "", "" %}
{% include "forward/common/product.wgsl" %}
const ROWS = {{ rows }}u;    // per thread
const OUTS = {{ outs }}u;    // per thread
const LANES = {{ lanes }}u;
const BLOCK = 8u;            // quads of x per load

{% set all_rows = range(rows) %}
{% set all_outs = range(outs) %}
{% set quantized = dtype not in ("f32", "bf16", "f16") %}
{% set packed = dtype in ("bf16", "f16") %}
{# The products of some quads of the block that begins at quad `first`: `quads` of them, the last block may have fewer. #}
{% macro block(first, quads) %}
        let quad = {{ first }} + {{ "lane" if quads == 8 else "min(lane, " ~ (quads - 1) ~ "u)" }};
{% for r in all_rows %}
        let x{{ r }} = x[row{{ r }} + quad];
{% endfor %}
{% if quantized %}
{% for o in all_outs %}
        let codes{{ o }} = code_pack(out{{ o }}, group, 0u);
        let high{{ o }} = high_bits(out{{ o }}, group);
        let scale{{ o }} = scale_of(out{{ o }}, group, 0u);
{% if dtype == "q8_0" %}
        let later_codes{{ o }} = code_pack(out{{ o }}, group, 4u);
{% elif dtype == "q6_k" %}
        let later_scale{{ o }} = scale_of(out{{ o }}, group, 4u);
{% endif %}
{% endfor %}
{% for q in range(8) %}
        {
{% for o in all_outs %}
{% set codes = "later_codes" if dtype == "q8_0" and q > 3 else "codes" %}
{% set scale = "later_scale" if dtype == "q6_k" and q > 3 else "scale" %}
            let w{{ o }} = vec4f(codes_of({{ codes }}{{ o }}, high{{ o }}, {{ q }}u)) * {{ scale }}{{ o }}.x + {{ scale }}{{ o }}.y;
{% endfor %}
{% for r in all_rows %}
            let a{{ r }} = subgroupBroadcast(x{{ r }}, {{ q }}u);
{% for o in all_outs %}
            sum{{ o }}_{{ r }} += dot(w{{ o }}, a{{ r }});
{% endfor %}
{% endfor %}
        }
{% endfor %}
{% elif packed %}
{% for pack in range((quads + 1) // 2) %}
{% set second = 2 * pack + 1 < quads %}
        {
{% for o in all_outs %}
            let pack{{ o }} = textureLoad(weight, vec2u(column{{ o }}, top{{ o }} + ({{ first }}) / 2u + {{ pack }}u));
            let low{{ o }} = unpack_low(pack{{ o }}.xy);
{% if second %}
            let high{{ o }} = unpack_low(pack{{ o }}.zw);
{% endif %}
{% endfor %}
{% for r in all_rows %}
            let a{{ r }} = subgroupBroadcast(x{{ r }}, {{ 2 * pack }}u);
{% if second %}
            let b{{ r }} = subgroupBroadcast(x{{ r }}, {{ 2 * pack + 1 }}u);
{% endif %}
{% for o in all_outs %}
            sum{{ o }}_{{ r }} += dot(low{{ o }}, a{{ r }}){{ " + dot(high%d, b%d)" % (o, r) if second }};
{% endfor %}
{% endfor %}
        }
{% endfor %}
{% else %}
{% for q in range(quads) %}
        {
{% for o in all_outs %}
            let w{{ o }} = textureLoad(weight, vec2u(column{{ o }}, top{{ o }} + {{ first }} + {{ q }}u));
{% endfor %}
{% for r in all_rows %}
            let a{{ r }} = subgroupBroadcast(x{{ r }}, {{ q }}u);
{% for o in all_outs %}
            sum{{ o }}_{{ r }} += dot(w{{ o }}, a{{ r }});
{% endfor %}
{% endfor %}
        }
{% endfor %}
{% endif %}
{% endmacro %}
@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) thread: u32) {
    // Tiles of a chunk's unused rows are left as they are.
    if (state.done != 0u || params.first + tile.x * ROWS >= state.rows) { return; }
    let lane = thread % BLOCK;
{% for r in all_rows %}
    let row{{ r }} = ({{ "" if uniform_rows else "params.first + " }}tile.x * ROWS + {{ r }}u) * QUADS;
{% endfor %}
{% for o in all_outs %}
    let local_out{{ o }} = (tile.y * OUTS + {{ o }}u) * LANES + thread;
    // No thread returns before its lane has been read by the others.
    let out{{ o }} = min(local_out{{ o }}, params.outs - 1u);
{% if not quantized %}
    let column{{ o }} = out{{ o }} % {{ tile }}u;
    let top{{ o }} = out{{ o }} / {{ tile }}u * PACKS;
{% endif %}
{% for r in all_rows %}
    var sum{{ o }}_{{ r }} = 0.0;
{% endfor %}
{% endfor %}
    for (var group = 0u; group < QUADS / BLOCK; group++) {
{{ block("group * BLOCK", 8) }}
    }
{% set left = inputs // 4 % 8 %}
{% if left %}
    {
{{ block("QUADS / BLOCK * BLOCK", left) }}
    }
{% endif %}
{% for o in all_outs %}
    if (local_out{{ o }} < params.outs) {
        let out = params.first_out + local_out{{ o }};
        let added_bias = {{ "bias[out]" if bias else "0.0" }};
{% for r in all_rows %}
        store(params.first + tile.x * ROWS + {{ r }}u, out, sum{{ o }}_{{ r }} + added_bias);
{% endfor %}
    }
{% endfor %}
}

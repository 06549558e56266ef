// y[r, o] = sum_k x[r, k] * weight[o, k] + bias[o]. A thread computes a few outputs (PER_THREAD) for all rows of a
// sub-chunk, so that every weight is loaded once, and every value of x once for its outputs.
// For software adapters, which load x from a uniform and weights from a texture several times faster.
{% set chunked, norm, stored = true, "", "" %}
{% include "forward/common/product.wgsl" %}
const ROWS = {{ rows }}u;
const PER_THREAD = {{ per_thread }}u; // outputs
{% macro x_row(r) %}{{ r ~ "u" if uniform_rows else "(params.first + " ~ r ~ "u)" }} * QUADS{% endmacro %}

{% set outs = range(per_thread) %}
{% set quantized = dtype not in ("f32", "bf16", "f16") %}
@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    if (state.done != 0u) { return; }
{% for o in outs %}
    let local_out{{ o }} = (group.y * PER_THREAD + {{ o }}u) * 32u + thread;
{% endfor %}
    if (local_out0 >= params.outs) { return; }
{% for o in outs %}
{% for r in range(rows) %}
    var sum{{ o }}_{{ r }} = 0.0;
{% endfor %}
{% if storage == "texture" and not quantized %}
    let column{{ o }} = local_out{{ o }} % {{ tile }}u;
    let top{{ o }} = local_out{{ o }} / {{ tile }}u * PACKS;
{% endif %}
{% endfor %}
{% if quantized %}
{% macro quad(q) %}
{
{% for o in outs %}
                let w{{ o }} = vec4f(codes_of(pack{{ o }}, high{{ o }}, {{ q }})) * scale{{ o }}.x + scale{{ o }}.y;
{% endfor %}
{% for r in range(rows) %}
                let x{{ r }} = x[{{ x_row(r) }} + group * GROUP_QUADS + {{ q }}];
{% for o in outs %}
                sum{{ o }}_{{ r }} += dot(w{{ o }}, x{{ r }});
{% endfor %}
{% endfor %}
            }
{%- endmacro %}
    for (var group = 0u; group < GROUPS; group++) {
{% set quads = 4 if dtype in ("q6_k", "q8_0") else 8 %}
{% for first in range(0, 8, quads) %}
        {
{% for o in outs %}
            // Of {{ 4 * quads }} values: the codes, their high bits, and what they are scaled by.
            let pack{{ o }} = code_pack(local_out{{ o }}, group, {{ first }}u);
            let high{{ o }} = high_bits(local_out{{ o }}, group);
            let scale{{ o }} = scale_of(local_out{{ o }}, group, {{ first }}u);
{% endfor %}
{% if rows * per_thread <= 4 %}
{% for q in range(first, first + quads) %}
            {{ quad(q ~ "u") }}
{% endfor %}
{% else %}
            // Not unrolled, because software adapters compile long kernels for seconds.
            for (var q = {{ first }}u; q < {{ first + quads }}u; q++) {{ quad("q") }}
{% endif %}
        }
{% endfor %}
    }
{% elif storage == "texture" and dtype != "f32" %}
    for (var pack = 0u; pack < PACKS; pack++) {
{% for o in outs %}
        let texel{{ o }} = textureLoad(weight, vec2u(column{{ o }}, top{{ o }} + pack), 0);
        let low{{ o }} = unpack_low(texel{{ o }}.xy);
        let high{{ o }} = unpack_low(texel{{ o }}.zw);
{% endfor %}
{% if inputs % 8 %}
        // The second quad of the last pack is padding, and x must not be read past its end.
        let second = min(pack * 2u + 1u, QUADS - 1u);
{% else %}
        let second = pack * 2u + 1u;
{% endif %}
{% for r in range(rows) %}
        let x{{ r }} = x[{{ x_row(r) }} + pack * 2u];
        let next{{ r }} = x[{{ x_row(r) }} + second];
{% for o in outs %}
        sum{{ o }}_{{ r }} += dot(low{{ o }}, x{{ r }}) + dot(high{{ o }}, next{{ r }});
{% endfor %}
{% endfor %}
    }
{% else %}
    for (var pack = 0u; pack < QUADS; pack++) {
{% for o in outs %}
{% if storage == "texture" %}
        let quad{{ o }} = textureLoad(weight, vec2u(column{{ o }}, top{{ o }} + pack), 0);
{% else %}
        let quad{{ o }} = weight_quad(local_out{{ o }}, pack);
{% endif %}
{% endfor %}
{% for r in range(rows) %}
        let x{{ r }} = x[{{ x_row(r) }} + pack];
{% for o in outs %}
        sum{{ o }}_{{ r }} += dot(quad{{ o }}, x{{ r }});
{% endfor %}
{% endfor %}
    }
{% endif %}
{% for o in outs %}
    if (local_out{{ o }} < params.outs) {
        let out = params.first_out + local_out{{ o }};
        let added_bias = {{ "bias[out]" if bias else "0.0" }};
{% for r in range(rows) %}
        store(params.first + {{ r }}u, out, sum{{ o }}_{{ r }} + added_bias);
{% endfor %}
    }
{% endfor %}
}

// y[r, o] = sum_k x[r, k] * weight[o, k] + bias[o] for few rows. A workgroup has {{ squads }} squads of SHARE threads. Each
// squad computes EACH outputs for ROWS rows, and its threads share the sum over k. So every load of the matrix is used for
// ROWS rows, every load of x for EACH outputs, and many loads are under way at once, which is what counts when there are
// too few rows to fill the tiles of matmul_tiled. With a norm, x is the norm of the rows that are bound. Grid: (groups of
// OUTS outputs, tiles of rows). Epilogues as in matmul_rows.
// subgroups: subgroups have exactly `lanes` threads; wide: load 8 weights of 16 bits at once; ahead: loads of each output
// that are under way before they are needed, and if that is all of them there is no loop; norm_trace: this product keeps
// the norm.
{% import "common/teams.wgsl" as t %}
{% import "forward/common/row_norm.wgsl" as n %}
{% set storage, tile, chunked, uniform_rows = "buffer", 0, false, 0 %}
{% set halves = dtype in ("bf16", "f16") %}
{% set eights = wide and halves and inputs % 8 == 0 %}
{% include "forward/common/product.wgsl" %}
{% set quads = 2 if eights else 1 %}{# of a load #}
{% set loads = inputs // 4 // quads %}
{% set steps = (loads + threads - 1) // threads %}
{% set early = [ahead, steps] | min %}
{% set finals = (rows * each + threads - 1) // threads %}{# results that a thread stores #}
const ROWS = {{ rows }}u;
const EACH = {{ each }}u;
const OUTS = {{ each * squads }}u;
const RESULTS = ROWS * EACH; // of a squad
const SHARE = {{ threads }}u;
const THREADS = {{ threads * squads }}u;
const LANES = {{ lanes }}u;
const TEAMS = THREADS / LANES;
const LOADS = {{ loads }}u; // of a row of the matrix
{{ t.pack(dtype if halves else "f32", 4 * quads) }}
{% if norm %}
{{ t.sums(subgroups) }}
{{ n.declare(norm, shift) }}
{% endif %}

{% if subgroups %}
const PARTS = SHARE / LANES; // of each sum
var<workgroup> partial: array<f32, {{ squads }}u * PARTS * RESULTS>;
{% else %}
var<workgroup> partial: array<f32, THREADS * ROWS>;
{% endif %}

fn add_dot(sum: f32, a: vec4f, b: vec4f) -> f32 {
    return sum + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}
{# Load `index` of output `o` of the squad. An index past the end of the matrix is harmless: its result is not stored. #}
{% macro load(o, index) -%}
{%- if halves or dtype == "f32" -%}
weight[(out + {{ o }}u) * LOADS + {{ index }}]
{%- else -%}
weight_quad(min(out + {{ o }}u, params.outs - 1u), {{ index }})
{%- endif -%}
{%- endmacro %}
{# Quad `h` of load `w`. #}
{% macro quad_of(w, h) -%}
{{ ("unpack_low(" ~ w ~ (("." ~ ("xy", "zw")[h]) if eights else "") ~ ")") if halves else w }}
{%- endmacro %}
{# Adds what load `index` of each output contributes; inside: the condition for that, "" when it is always met. An RMS norm
   costs little here: its scale is applied to weights, for all rows at once, and the deviation of a row to the sum. #}
{% macro multiply(w, index, inside) %}
{% for h in range(quads) %}
        {
            let quad = {{ index }}{{ " * 2u + " ~ h ~ "u" if eights }};
{% if norm %}
            let scale_quad = {{ n.scale_of("scale[quad]", offset) }};
{% if shift %}
            let shift_quad = shift[quad];
{% endif %}
{% endif %}
{% for o in range(each) %}
{% set value = quad_of(w ~ o, h) ~ (" * scale_quad" if norm == "rms") %}
            let v{{ o }} = {{ "select(vec4f(0.0), " ~ value ~ ", " ~ inside ~ ")" if inside else value }};
{% endfor %}
{% for r in range(rows) %}
            {
                let from_x = x[first_x + {{ r }}u * QUADS + quad];
                let a = {{ ("normalized(from_x, " ~ r ~ "u, scale_quad" ~ (", shift_quad" if shift else "") ~ ")") if norm == "layer" else "from_x" }};
{% for o in range(each) %}
                sum{{ r * each + o }} = add_dot(sum{{ r * each + o }}, v{{ o }}, a);
{% endfor %}
            }
{% endfor %}
        }
{% endfor %}
{% endmacro %}
{# Sums over the subgroup with as few exchanges as possible: in each step, a lane gives one half of its sums away and adds
   what it gets to the other half. At the end it has a few totals, which begin at result `mine`. #}
{% macro exchange() %}
    var mine = 0u;
    var owns = true;
{% set ns = namespace(count=rows * each, name="sum") %}
{% for level in range(7) if 2 ** (level + 1) <= lanes %}
{% set mask, name, half = lanes // 2 ** (level + 1), "level" ~ level ~ "_", ns.count // 2 %}
    let upper{{ level }} = (lane & {{ mask }}u) != 0u;
{% if ns.count % 2 == 0 %}
    mine += select(0u, {{ half }}u, upper{{ level }});
{% for i in range(half) %}
    let {{ name }}{{ i }} = select({{ ns.name }}{{ i }}, {{ ns.name }}{{ i + half }}, upper{{ level }})
        + subgroupShuffleXor(select({{ ns.name }}{{ i + half }}, {{ ns.name }}{{ i }}, upper{{ level }}), {{ mask }}u);
{% endfor %}
{% set ns.count = half %}
{% else %}
    owns = owns && !upper{{ level }};
{% for i in range(ns.count) %}
    let {{ name }}{{ i }} = {{ ns.name }}{{ i }} + subgroupShuffleXor({{ ns.name }}{{ i }}, {{ mask }}u);
{% endfor %}
{% endif %}
{% set ns.name = name %}
{% endfor %}
    if (owns) {
{% for i in range(ns.count) %}
        partial[team * RESULTS + mine + {{ i }}u] = {{ ns.name }}{{ i }};
{% endfor %}
    }
{% endmacro %}

@compute @workgroup_size({{ threads * squads }})
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
{% if subgroups %}
    @builtin(subgroup_id) team: u32,
    @builtin(subgroup_invocation_id) lane: u32,
{% endif %}
) {
{% if not subgroups %}
    let team = thread / LANES;
    let lane = thread % LANES;
{% endif %}
    let place = (team * LANES + lane) % SHARE;
    let out = group.x * OUTS + (team * LANES + lane) / SHARE * EACH;
    let row0 = group.y * ROWS;
    let first_x = row0 * QUADS;
    // Before anything that they would have to wait for.
{% for s in range(early) %}
    let index{{ s }} = {{ "place + " ~ s * threads ~ "u" if (s + 1) * threads <= loads else "min(place + " ~ s * threads ~ "u, LOADS - 1u)" }};
{% for o in range(each) %}
    {{ "let" if early == steps else "var" }} w{{ s }}_{{ o }} = {{ load(o, "index" ~ s) }};
{% endfor %}
{% endfor %}
{% if subgroups %}
{% for j in range(finals) %}
    let result{{ j }} = min(thread + {{ j }}u * THREADS, {{ squads }}u * RESULTS - 1u);
    let row_of{{ j }} = row0 + result{{ j }} % RESULTS / EACH;
    let local_out{{ j }} = group.x * OUTS + result{{ j }} / RESULTS * EACH + result{{ j }} % EACH;
{% if bias %}
    let bias{{ j }} = bias[params.first_out + local_out{{ j }}];
{% endif %}
{% if epilogue == "residual" %}
    let before{{ j }} = y[row_of{{ j }} * OUTPUTS + params.first_out + local_out{{ j }}];
{% endif %}
{% endfor %}
{% endif %}
    if (state.done != 0u) { return; }
    if (row0 >= state.rows) { return; }
{% for i in range(rows * each) %}
    var sum{{ i }} = 0.0;
{% endfor %}
{% if norm %}
    {{ n.compute(norm, epsilon, (rows * lanes + threads * squads - 1) // (threads * squads), "first_x") }}
{% endif %}
    // As many steps for each thread: after a branch, a driver may sum over only the threads that took it.
{% if early == steps %}
{% for s in range(early) %}
{{ multiply("w" ~ s ~ "_", "index" ~ s, "" if (s + 1) * threads <= loads else "place + " ~ s * threads ~ "u < LOADS") }}
{% endfor %}
{% else %}
    // The loads of `ahead` steps are under way. The last ones repeat the end of a row.
    for (var step = 0u; step < LOADS; step += SHARE) {
        let later = min(step + place + {{ early * threads }}u, LOADS - 1u);
{% for o in range(each) %}
        let later_{{ o }} = {{ load(o, "later") }};
{% endfor %}
        let index = min(step + place, LOADS - 1u);
{{ multiply("w0_", "index", "" if loads % threads == 0 else "step + place < LOADS") }}
{% for o in range(each) %}
{% for s in range(early) %}
        w{{ s }}_{{ o }} = {{ "w" ~ (s + 1) if s + 1 < early else "later" }}_{{ o }};
{% endfor %}
{% endfor %}
    }
{% endif %}
{% if subgroups %}
{{ exchange() }}
    workgroupBarrier();
{% for j in range(finals) %}
    if (thread + {{ j }}u * THREADS < {{ squads }}u * RESULTS) {
        var total = 0.0;
        for (var part = 0u; part < PARTS; part++) {
            total += partial[(result{{ j }} / RESULTS * PARTS + part) * RESULTS + result{{ j }} % RESULTS];
        }
        finish(row_of{{ j }}, local_out{{ j }}, total{{ ", bias" ~ j if bias }}{{ ", before" ~ j if epilogue == "residual" }});
    }
{% endfor %}
{% else %}
{% for o in range(each) %}
    workgroupBarrier();
{% for r in range(rows) %}
    partial[{{ r }}u * THREADS + thread] = sum{{ r * each + o }};
{% endfor %}
    for (var count = SHARE; count > 1u; count = (count + 1u) / 2u) {
        workgroupBarrier();
        let half = (count + 1u) / 2u;
        for (var i = thread; i < (count - half) * {{ rows * squads }}u; i += THREADS) {
            let at = i / (count - half) * SHARE + i % (count - half);
            partial[at] += partial[at + half];
        }
    }
    workgroupBarrier();
    for (var i = thread; i < {{ rows * squads }}u; i += THREADS) {
        let row = row0 + i / {{ squads }}u;
        let local_out = group.x * OUTS + i % {{ squads }}u * EACH + {{ o }}u;
        finish(row, local_out, partial[i * SHARE]{{ ", bias[params.first_out + local_out]" if bias }}{{ ", y[row * OUTPUTS + params.first_out + local_out]" if epilogue == "residual" }});
    }
{% endfor %}
{% endif %}
{% if norm and norm_trace %}
    // Each workgroup keeps a part of the norm.
    for (var i = group.x * THREADS + thread; i < ROWS * QUADS; i += groups.x * THREADS) {
        let r = i / QUADS;
        if (row0 + r < state.rows) {
            let value = normalized(x[first_x + i], r, {{ n.scale_of("scale[i % QUADS]", offset) }}{{ ", shift[i % QUADS]" if shift }});
            let kept = params.norm_offset + (state.first_row + row0 + r) * INPUTS + i % QUADS * 4u;
            for (var j = 0u; j < 4u; j++) { activations[kept + j] = value[j]; }
        }
    }
{% endif %}
}

// Store a sum over all of k; before: the residual stream.
fn finish(r: u32, local_out: u32, sum: f32{{ ", bias: f32" if bias }}{{ ", before: f32" if epilogue == "residual" }}) {
    if (r >= state.rows || local_out >= params.outs) { return; }
    let product = sum{{ " * deviations[r % ROWS].x" if norm == "rms" }}{{ " + bias" if bias }};
{% if epilogue == "residual" %}
    store_after(r, params.first_out + local_out, product, before + product);
{% else %}
    store(r, params.first_out + local_out, product);
{% endif %}
}

// y[r, o] = sum_k x[r, k] * weight[o, k] + bias[o] for many rows. A workgroup computes a tile of ROWS x OUTS, a thread
// TALL x WIDE elements of it in registers: a quad of k loaded from workgroup memory for each of the TALL rows and WIDE
// outputs serves 4 * TALL * WIDE multiply-adds. SPLIT groups of threads share the sum over k of the same tile, so that
// few tiles occupy a processor, too. Grid: (tiles of outputs, tiles of rows). Epilogues as in matmul_rows.
// Rows of a thread are DOWN apart and outputs ACROSS, so that neighboring threads load neighboring lines.
{% set quads, step, rows, outs, threads = depth // 4, depth // 4 * split, tall * down, wide * across, down * across * split %}
{% set pairs = dtype in ("f16", "bf16") and inputs % 8 == 0 and step % 2 == 0 %}
{% set storage, tile, chunked, uniform_rows, eights = "buffer", 0, false, 0, pairs %}
{% include "forward/common/product.wgsl" %}
const TALL = {{ tall }}u;
const WIDE = {{ wide }}u;
const DOWN = {{ down }}u;     // a group has DOWN x ACROSS threads
const ACROSS = {{ across }}u;
const SPLIT = {{ split }}u;
const THREADS = {{ threads }}u;
const ROWS = {{ rows }}u;
const OUTS = {{ outs }}u;
const PART = {{ quads }}u;    // quads of k of a group per step
const STEP = {{ step }}u;     // quads of k per step
{% set unit = 2 if pairs else 1 %}
const UNIT = {{ unit }}u;     // quads per load of the matrix

// A row of x, or of the matrix, in a step. Indices that are constants, or the same in every step, need no check in the
// loop. The padding makes a line an odd number of quads long: then the same quad of 8 lines is in different banks.
struct Line {
    parts: array<array<vec4f, PART>, SPLIT>,
{% if step % 2 == 0 %}
    padding: vec4f,
{% endif %}
}
var<workgroup> x_lines: array<array<array<Line, DOWN>, TALL>, {{ buffers }}>;
var<workgroup> w_lines: array<array<array<Line, ACROSS>, WIDE>, {{ buffers }}>;
// Results of every group for DOWN rows. The padding lets 4 x 8 neighboring threads store to different banks.
var<workgroup> sums: array<array<array<f32, {{ outs + (4 if outs % 8 == 0 else 0) }}>, DOWN>, SPLIT>;

{% set x_count, w_count = rows * step, outs * step // unit %}
{% set x_loads, w_loads = (x_count + threads - 1) // threads, (w_count + threads - 1) // threads %}
{# Whether load `i` of `count` by all threads exists for this thread. #}
{% macro exists(i, count) %}{% if (i + 1) * threads > count %}if (thread < {{ count - i * threads }}u) {% endif %}{% endmacro %}
{% macro load(step) %}
{% for i in range(x_loads) %}
        {{ exists(i, x_count) }}{ next_x{{ i }} = x_or_zero(x_from{{ i }}, {{ step }} + x_quad{{ i }}); }
{% endfor %}
{% for i in range(w_loads) %}
        {{ exists(i, w_count) }}{ next_w{{ i }} = w_or_zero(w_from{{ i }}, ({{ step }}) / UNIT + w_unit{{ i }}); }
{% endfor %}
{% endmacro %}
{% macro store_w(i, offset, value) %}
w_lines[buffer][w_line{{ i }} / ACROSS][w_line{{ i }} % ACROSS].parts[(w_unit{{ i }} * UNIT + {{ offset }}u) / PART][(w_unit{{ i }} * UNIT + {{ offset }}u) % PART] = {{ value }};
{%- endmacro %}
@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    if (state.done != 0u) { return; }
    let row0 = group.y * ROWS;
    if (row0 >= state.rows) { return; }
    let out0 = group.x * OUTS;
    let part = thread / (DOWN * ACROSS);
    let place = thread % (DOWN * ACROSS);
    // {{ [down, 8] | min }} rows by all outputs, then the next rows.
{% set side = [down, 8] | min %}
    let ty = place % {{ side }}u + place / ({{ side }}u * ACROSS) * {{ side }}u;
    let tx = place / {{ side }}u % ACROSS;
{% for i in range(x_loads) %}
    let x_line{{ i }} = (thread + {{ i }}u * THREADS) / STEP;
    let x_quad{{ i }} = (thread + {{ i }}u * THREADS) % STEP;
    let x_from{{ i }} = min(row0 + x_line{{ i }}, state.rows - 1u) * QUADS;
    var next_x{{ i }}: vec4f;
{% endfor %}
{% for i in range(w_loads) %}
    let w_line{{ i }} = (thread + {{ i }}u * THREADS) / (STEP / UNIT);
    let w_unit{{ i }} = (thread + {{ i }}u * THREADS) % (STEP / UNIT);
    let w_from{{ i }} = min(out0 + w_line{{ i }}, params.outs - 1u);
    var next_w{{ i }}: {{ "vec4u" if pairs else "vec4f" }};
{% endfor %}
{% for i in range(tall) %}
{% for j in range(wide) %}
    var s{{ i }}_{{ j }} = 0.0;
{% endfor %}
{% endfor %}
    var buffer = 0u;
    // Load the values of the next step while those of this one are multiplied.
    {
        {{ load("0u") }}
    }
    for (var step = 0u; step < QUADS; step += STEP) {
{% if buffers == 1 %}
        workgroupBarrier();
{% endif %}
{% for i in range(x_loads) %}
        {{ exists(i, x_count) }}{ x_lines[buffer][x_line{{ i }} / DOWN][x_line{{ i }} % DOWN].parts[x_quad{{ i }} / PART][x_quad{{ i }} % PART] = next_x{{ i }}; }
{% endfor %}
{% for i in range(w_loads) %}
        {{ exists(i, w_count) }}{
{% if pairs %}
            {{ store_w(i, 0, "unpack_low(next_w" ~ i ~ ".xy)") }}
            {{ store_w(i, 1, "unpack_low(next_w" ~ i ~ ".zw)") }}
{% else %}
            {{ store_w(i, 0, "next_w" ~ i) }}
{% endif %}
        }
{% endfor %}
        workgroupBarrier();
        if (step + STEP < QUADS) {
            {{ load("step + STEP") }}
        }
{% for q in range(quads) %}
        {
{% for i in range(tall) %}
            let a{{ i }} = x_lines[buffer][{{ i }}][ty].parts[part][{{ q }}];
{% endfor %}
{% for j in range(wide) %}
            let b{{ j }} = w_lines[buffer][{{ j }}][tx].parts[part][{{ q }}];
{% for k in "xyzw" %}
{% for i in range(tall) %}
            s{{ i }}_{{ j }} += a{{ i }}.{{ k }} * b{{ j }}.{{ k }};
{% endfor %}
{% endfor %}
{% endfor %}
        }
{% endfor %}
{% if buffers == 2 %}
        buffer = 1u - buffer;
{% endif %}
    }
{% for i in range(tall) %}
    workgroupBarrier();
{% for j in range(wide) %}
    sums[part][ty][{{ j }}u * ACROSS + tx] = s{{ i }}_{{ j }};
{% endfor %}
    workgroupBarrier();
    store_rows(row0 + {{ i }}u * DOWN, out0, thread);
{% endfor %}
}

fn x_or_zero(row: u32, quad: u32) -> vec4f {
{% if inputs // 4 % step %}
    return select(vec4f(0.0), x[row + min(quad, QUADS - 1u)], quad < QUADS);
{% else %}
    return x[row + quad];
{% endif %}
}
{% if pairs %}
// Two quads, the first in xy.
fn weight_pair(row: u32, pair: u32) -> vec4u { return weight[row * PACKS + pair]; }
{% endif %}
{% set load_unit = "weight_pair" if pairs else "weight_quad" %}
fn w_or_zero(row: u32, index: u32) -> {{ "vec4u" if pairs else "vec4f" }} {
{% if inputs // 4 % step %}
    return select({{ "vec4u(0u)" if pairs else "vec4f(0.0)" }}, {{ load_unit }}(row, min(index, QUADS / UNIT - 1u)), index < QUADS / UNIT);
{% else %}
    return {{ load_unit }}(row, index);
{% endif %}
}

// Adds up what the groups have found for DOWN rows, and stores it: neighboring threads store neighboring outputs.
fn store_rows(first_row: u32, out0: u32, thread: u32) {
    for (var i = thread; i < DOWN * OUTS; i += THREADS) {
        let line = i / OUTS;
        let column = i % OUTS;
        let sum = {% for p in range(split) %}{{ " + " if p }}sums[{{ p }}][line][column]{% endfor %};
        let r = first_row + line;
        if (r < state.rows && out0 + column < params.outs) {
            let out = params.first_out + out0 + column;
            store(r, out, sum{{ " + bias[out]" if bias }});
        }
    }
}

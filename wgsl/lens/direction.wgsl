// The direction through the final norm with its scale frozen at this row's: a part v of the residual stream adds
// v . direction to the logit. Also words 0 to 2 of the results: the logit, and what the norm's shift and the head's bias
// add to it. One workgroup.
{% include "lens/common/token_aim.wgsl" %}
const COLUMNS = {{ columns }}u;
const THREADS = 256u;
{% if norm %}
const EPSILON = {{ epsilon }};
const OFFSET = f32({{ offset }}); // of the scale
{% endif %}
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<storage, read> unembed: array<f32>;
@group(0) @binding(2) var<storage, read> head_input: array<f32>; // [context, columns]
@group(0) @binding(3) var<storage, read_write> direction: array<f32>;
@group(0) @binding(4) var<storage, read_write> results: array<f32>;
{% if norm %}
@group(0) @binding(5) var<storage, read> x: array<f32>; // [context, columns], the last point of the residual stream
@group(0) @binding(6) var<storage, read> scale: array<f32>;
{% endif %}
{% if shift %}
@group(0) @binding(7) var<storage, read> shift: array<f32>;
{% endif %}
{% if bias %}
@group(0) @binding(8) var<storage, read> bias: array<f32>;
{% endif %}

var<workgroup> partial: array<f32, THREADS>;

{% include "common/workgroup.wgsl" %}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
    let row = aim.row * COLUMNS;
    var logit = 0.0;
    for (var c = thread; c < COLUMNS; c += THREADS) { logit += unembed[c] * head_input[row + c]; }
    logit = sum_over_workgroup(logit, thread);
    var shifted = 0.0;
    var biased = 0.0;
{% if shift %}
    for (var c = thread; c < COLUMNS; c += THREADS) { shifted += unembed[c] * shift[c]; }
    shifted = sum_over_workgroup(shifted, thread);
{% endif %}
{% if bias %}
    biased = bias[aim.wanted];
    if (aim.against != NO_TOKEN) { biased -= bias[aim.against]; }
{% endif %}
{% if norm %}
{% if centered %}
    var sum = 0.0;
    for (var c = thread; c < COLUMNS; c += THREADS) { sum += x[row + c]; }
    let mean = sum_over_workgroup(sum, thread) / f32(COLUMNS);
{% else %}
    let mean = 0.0;
{% endif %}
    var squares = 0.0;
    var scaled = 0.0;
    for (var c = thread; c < COLUMNS; c += THREADS) {
        let d = x[row + c] - mean;
        squares += d * d;
        scaled += unembed[c] * (scale[c] + OFFSET);
    }
    let inverse = 1.0 / sqrt(sum_over_workgroup(squares, thread) / f32(COLUMNS) + EPSILON);
{% if centered %}
    // Every part is centered, like the whole.
    let center = sum_over_workgroup(scaled, thread) / f32(COLUMNS);
{% else %}
    let center = 0.0;
{% endif %}
    for (var c = thread; c < COLUMNS; c += THREADS) { direction[c] = (unembed[c] * (scale[c] + OFFSET) - center) * inverse; }
{% else %}
    for (var c = thread; c < COLUMNS; c += THREADS) { direction[c] = unembed[c]; }
{% endif %}
    if (thread == 0u) {
        results[0] = logit + biased;
        results[1] = shifted;
        results[2] = biased;
    }
}

// Paints one matrix of a head, with `difference` minus that of another pass: scores of all pairs, scores with later keys masked, or weights. Each pixel shows the value of the largest magnitude under it.
const CONTEXT = {{ context }}u;
{% include "common/numbers.wgsl" %}
struct Params {
    side: u32, // of the picture, in pixels
    step: u32, // 0 scores, 1 masked scores, 2 weights
    rows: u32,
    cell: f32, // pixels per element
    origin: vec2f, // (key, query) in the top left corner
    ready: u32, // rows that have values
    padding: u32,
}
{% include "attention/common/color.wgsl" %}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> colors: Colors;
@group(0) @binding(2) var<storage, read> scores: array<f32>; // [context, context]
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [context, context]
@group(0) @binding(4) var<storage, read> peaks: array<f32, 2>; // see scores.wgsl
@group(0) @binding(5) var picture: texture_storage_2d<rgba8unorm, write>;
{% if difference %}
@group(0) @binding(6) var<storage, read> other_scores: array<f32>; // those of the other pass
@group(0) @binding(7) var<storage, read> other_weights: array<f32>;
@group(0) @binding(8) var<storage, read> other_peaks: array<f32, 2>;
{% include "compare/common/difference.wgsl" %}
fn difference(a: f32, b: f32) -> f32 {
    return bitcast<f32>(difference_of(bitcast<u32>(a), bitcast<u32>(b), {{ "true" if relative else "false" }}));
}
fn score(at: u32) -> f32 { return difference(scores[at], other_scores[at]); }
fn weight(at: u32) -> f32 { return difference(weights[at], other_weights[at]); }
fn value_color(value: f32, step: u32) -> vec4f {
{% if relative %}
    return difference_color(value, 1.0);
{% else %}
    if (step == 2u) { return difference_color(value, 1.0); }
    return difference_color(value, max(peaks[step], other_peaks[step]));
{% endif %}
}
{% else %}
fn score(at: u32) -> f32 { return scores[at]; }
fn weight(at: u32) -> f32 { return weights[at]; }
fn value_color(value: f32, step: u32) -> vec4f {
    if (step == 2u) { return weight_color(value); }
    return score_color(value, peaks[step]);
}
{% endif %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) pixel: vec3u) {
    if (max(pixel.x, pixel.y) >= params.side) { return; }
    let step = params.step;
    let inside = vec2f(pixel.xy);
    let rows = i32(params.rows);
    let first = vec2i(floor(params.origin + inside / params.cell));
    var color = vec4f(0.0);
    if (min(first.x, first.y) >= 0 && max(first.x, first.y) < rows) {
        color = colors.later;
        var chosen = 0.0;
        let last_row = min(rows, i32(params.ready));
{% if pooled %}
        let end = max(first + vec2i(1), vec2i(floor(params.origin + (inside + 1.0) / params.cell)));
        var most = 0u;
        var found = false;
        for (var row = first.y; row < min(end.y, last_row); row++) {
            let last = select(min(end.x, row + 1), min(end.x, rows), step == 0u);
            for (var key = first.x; key < last; key++) {
                let at = u32(row) * CONTEXT + u32(key);
                var value = 0.0;
                if (step == 2u) { value = weight(at); } else { value = score(at); }
                let size = bitcast<u32>(value) & 0x7fffffffu; // the bits sort like magnitudes, with NaN as the largest
                if (!found || size > most) {
                    chosen = value;
                    most = size;
                    found = true;
                }
            }
        }
{% else %}
        let at = u32(first.y) * CONTEXT + u32(first.x);
        let found = first.y < last_row && (step == 0u || first.x <= first.y);
        if (found && step == 2u) { chosen = weight(at); }
        if (found && step != 2u) { chosen = score(at); }
{% endif %}
        if (found) { color = value_color(chosen, step); }
    }
    textureStore(picture, pixel.xy, color);
}

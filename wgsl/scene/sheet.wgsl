// Draws the sheet of Strip: boxes whose cells come row by row from consecutive cells of Strip, six corners per box.
// Large cells have borders, their values as text, and patterns where values are not finite. pygfx completes this shader: bindings, structures
// and color functions come from its standard library.
{$ include 'pygfx.std.wgsl' $}
{% include "scene/common/patterns.wgsl" %}
{% include "map/common/digits.wgsl" %}
{% include "map/common/ink.wgsl" %}
const BORDER_FROM = 5.0; // side of a cell in pixels at which borders appear,
const BORDER_FULL = 14.0; // and at which they are opaque
const BORDER_DARK = vec3f(0.0235, 0.0353, 0.0549); // the grounds of both themes
const BORDER_LIGHT = vec3f(0.925, 0.933, 0.947);

// The first pixel of a cell of the plane. Whole numbers only: interpolated ones differ from pixel to pixel, which would
// tear glyphs.
fn first_pixel(cell: vec2f) -> vec2i {
    let world = u_wobject.world_transform * vec4f(cell, 0.0, 1.0);
    let clip = u_stdinfo.projection_transform * u_stdinfo.cam_transform * world;
    let corner = (vec2f(0.5) + vec2f(0.5, -0.5) * clip.xy / clip.w) * u_stdinfo.physical_size;
    return vec2i(round(corner));
}

// The coverage, 0 to 1, of the value's text at pixel `at` of a cell of `pixels` pixels.
fn text_coverage(value: f32, at: vec2i, pixels: f32) -> f32 {
    let style = load_s_style(0); // significant digits, width and height of glyphs, first row of this size
    let top = (i32(pixels) - i32(style.z)) / 2;
    if (at.y < top || at.y >= top + i32(style.z)) { return 0.0; }
    let number = number_of(value, style.x);
    let wide = i32(number.length * style.y);
    let x = at.x - (i32(pixels) - wide) / 2;
    if (x < 0 || x >= wide) { return 0.0; }
    let glyph = glyph_of(number, u32(x) / style.y);
    let texel = vec2u(glyph * style.y + u32(x) % style.y, style.w + u32(at.y - top));
    return textureLoad(t_glyphs, texel, 0).x;
}

struct VertexInput {
    @builtin(vertex_index) vertex_index: u32,
};

@vertex
fn vs_main(in: VertexInput) -> Varyings {
    let box = load_s_boxes(i32(in.vertex_index / 6u)); // x, y, columns, rows
    let span = load_s_spans(i32(in.vertex_index / 6u)); // first cell, cells, columns, 1 in the light theme
    let number = in.vertex_index % 6u;
    let corner = vec2f(f32((0x32u >> number) & 1u), f32((0x2cu >> number) & 1u)) * box.zw;
    let world = u_wobject.world_transform * vec4f(box.xy + corner, 0.0, 1.0);
    var varyings: Varyings;
    varyings.position = vec4<f32>(u_stdinfo.projection_transform * u_stdinfo.cam_transform * world);
    varyings.world_pos = vec3<f32>(world.xyz);
    varyings.texcoord = vec2<f32>(corner);
    varyings.span = vec4<f32>(span);
    varyings.box = vec2<f32>(box.xy);
    return varyings;
}

@fragment
fn fs_main(varyings: Varyings) -> FragmentOutput {
    let position = varyings.texcoord;
    let pixels = 1.0 / max(fwidth(position.x), 1e-6);
    let span = vec3u(varyings.span.xyz + vec3f(0.5)); // whole numbers, which interpolation may have changed slightly
    let at = vec2u(clamp(position, vec2f(0.0), vec2f(f32(span.z) - 0.5, 1e6)));
    let index = at.y * span.z + at.x;
    if (index >= span.y) { discard; }
    let width = textureDimensions(t_cells).x;
    let cell = span.x + index;
    let value = textureLoad(t_cells, vec2u(cell % width, cell / width), 0);
    let kind = u32(value.a * 255.0 + 0.5);
    var shade = value.rgb;
    let ink = load_s_ink(0); // opacity of digits; then the side of a cell in pixels
    if (ink > 0.0 && kind == 255u) {
        let corner = round(varyings.box.xy) + vec2f(f32(at.x), f32(at.y));
        let shown = bitcast<f32>(textureLoad(t_values, vec2u(cell % width, cell / width), 0).x);
        let coverage = ink * text_coverage(shown, vec2i(varyings.position.xy) - first_pixel(corner), load_s_ink(1));
        if (coverage > 0.0) { shade = mix(shade, ink_on(vec4f(shade, 1.0)).rgb, coverage); }
    }
    var color = srgb2physical(shade);
    if (kind > 0u && kind < 255u && pixels >= PATTERN_FROM && inked(kind, fract(position))) { color = PATTERN_INK; }
    if (min(fract(position.x), fract(position.y)) * pixels < 1.0) {
        color = mix(color, srgb2physical(select(BORDER_DARK, BORDER_LIGHT, varyings.span.w > 0.5)), smoothstep(BORDER_FROM, BORDER_FULL, pixels));
    }
    var out: FragmentOutput;
    out.color = vec4f(color, 1.0);
    return out;
}

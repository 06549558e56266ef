// Draws a view in the scene: each texel is a cell, and colors stay unchanged. A large enough cell whose alpha marks its
// value as non-finite gets a pattern: a cross for NaN, a plus for plus infinity, a minus for minus infinity.
// pygfx completes this shader: bindings, structures and color functions come from its standard library.
{$ include 'pygfx.std.wgsl' $}

{% include "scene/common/patterns.wgsl" %}

struct VertexInput {
    @builtin(vertex_index) vertex_index: u32,
};

@vertex
fn vs_main(in: VertexInput) -> Varyings {
    let corner = vec2f(f32(in.vertex_index % 2u), f32(in.vertex_index / 2u));
    let cells = corner * vec2f(textureDimensions(t_cells));
    let world = u_wobject.world_transform * vec4f(cells, 0.0, 1.0);
    var varyings: Varyings;
    varyings.position = vec4<f32>(u_stdinfo.projection_transform * u_stdinfo.cam_transform * world);
    varyings.world_pos = vec3<f32>(world.xyz);
    varyings.texcoord = vec2<f32>(cells);
    return varyings;
}

@fragment
fn fs_main(varyings: Varyings) -> FragmentOutput {
    let position = varyings.texcoord;
    let pixels = 1.0 / max(fwidth(position.x), 1e-6);
    let size = vec2i(textureDimensions(t_cells));
    let cell = clamp(vec2i(floor(position)), vec2i(0), size - vec2i(1));
    let value = textureLoad(t_cells, cell, 0);
    var color = srgb2physical(value.rgb);
    let kind = u32(value.a * 255.0 + 0.5);
    if (kind > 0u && kind < 255u && pixels >= PATTERN_FROM && inked(kind, fract(position))) { color = PATTERN_INK; }
    var out: FragmentOutput;
    out.color = vec4f(color, 1.0);
    return out;
}

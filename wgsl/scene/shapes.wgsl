// Draws colored triangles in the plane of the scene. A corner is a position on the plane plus an offset in pixels, so
// that lines keep their width at every zoom. With a mask, a texture with a texel per pixel, shapes show only where its
// alpha is 0, so that they seem to lie behind what the texture shows. pygfx completes this shader: bindings, structures and color functions come
// from its standard library.
{$ include 'pygfx.std.wgsl' $}

struct VertexInput {
    @builtin(vertex_index) vertex_index: u32,
};

@vertex
fn vs_main(in: VertexInput) -> Varyings {
    let corner = load_s_corners(i32(in.vertex_index)); // x and y on the plane, then the offset: pixels right and down
    let world = u_wobject.world_transform * vec4f(corner.xy, 0.0, 1.0);
    var position = u_stdinfo.projection_transform * u_stdinfo.cam_transform * world;
    position += vec4f(corner.zw * vec2f(2.0, -2.0) / u_stdinfo.physical_size * position.w, 0.0, 0.0);
    var varyings: Varyings;
    varyings.position = vec4<f32>(position);
    varyings.world_pos = vec3<f32>(world.xyz);
    varyings.color = vec4<f32>(load_s_colors(i32(in.vertex_index)));
    return varyings;
}

@fragment
fn fs_main(varyings: Varyings) -> FragmentOutput {
$$ if masked
    if (textureLoad(t_mask, vec2i(varyings.position.xy), 0).a > 0.0) { discard; }
$$ endif
    var out: FragmentOutput;
    out.color = vec4f(srgb2physical(varyings.color.rgb), varyings.color.a);
    return out;
}

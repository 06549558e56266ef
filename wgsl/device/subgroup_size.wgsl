// Writes the subgroup size of a workgroup of 128 threads to result[0], and to result[1] the number of threads that are
// not where they would be if subgroups were consecutive runs of threads. One workgroup.
@group(0) @binding(0) var<storage, read_write> result: array<atomic<u32>>;

@compute @workgroup_size(128)
fn main(
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(subgroup_id) team: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    if (thread == 0u) { atomicStore(&result[0], size); }
    if (team * size + lane != thread) { atomicAdd(&result[1], 1u); }
}

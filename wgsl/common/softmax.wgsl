{% include "common/workgroup.wgsl" %}

// Replaces the first `keys` of the workgroup's `scores` with exponentials and returns the inverse of their sum. `mine` is
// the largest score that this thread has written. Needs `scores`, `partial` and THREADS; all threads must call it.
fn softmax(keys: u32, thread: u32, mine: f32) -> f32 {
    let highest = largest_of_workgroup(mine, thread);
    var total = 0.0;
    for (var t = thread; t < keys; t += THREADS) {
        let e = exp(scores[t] - highest);
        scores[t] = e;
        total += e;
    }
    return 1.0 / sum_over_workgroup(total, thread);
}

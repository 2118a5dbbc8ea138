// neox_bench --device cuda|cpu [--library PATH] [--synth SHAPE, 3.6b] [--type TYPE, Q8_0] [further options]: a whole model of random
// weights on a device, through nothing but the functions of model/backend.h, so that it runs on any machine that has the device
// and the tree.
//   --prompt N,...  prompts to measure, in tokens (512,2048)      --batch N,...  sequences that step together (1,2,4,8,16)
//   --depth N       positions before the steps (0)                --rows N       most rows of one pass (2048)
//   --kv TYPE       f32, f16 or q8_0 (f16)                        --precision P  exact, high or fast (fast)
//   --deterministic                                               --seconds S    of each case (2)
//   --layers N      the first N alone (all)
// It prints what the device says of itself, GB/s of the upload and of copies inside the device's memory, tokens/s of prompts and
// steps (medians), of steps also the GB/s of weights and KV cache that they read and their share of the copy speed, where the
// time of a pass goes by operation, and what remains of a step when there is next to nothing to compute: launches and gaps.
#pragma once

// argv as main() has it. Returns the program's exit code: 1 where the device cannot be used, with the reason.
int bench_device(int argc, char** argv);

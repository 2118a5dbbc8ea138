#pragma once

// Time and weighted error of quantize_rows for every type, one thread; with the path of libggml-base beside
// ggml_quantize_chunk, interleaved. Returns the number of cases whose error is above ggml's.
int bench_quantize(double seconds, const char* ggml_path);

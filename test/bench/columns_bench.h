// neox_bench columns: what a step of several tokens costs against a step of one.
#pragma once

void bench_columns(double seconds);

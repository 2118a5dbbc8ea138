// exp and log as the project computes them: additions, multiplications and one division in f64, in a fixed
// order, so that a draw or a log-probability has the same bits on every machine. No libm.
#pragma once

#include <span>

namespace neox {

// e^x within 1 ulp. Above 709.78 +inf, below -745.2 zero (subnormal in between), NaN for NaN.
double exact_exp(double x);

// The natural logarithm within 1 ulp. -inf for zero, NaN below zero and for NaN, +inf for +inf.
double exact_log(double x);

// base^exponent by squaring; exponent >= 0.
double exact_pow(double base, int exponent);

// log(sum over values of e^value) in two parts, of which the second would be lost beside a huge first.
struct LogSum {
    double largest;  // of the values
    double rest;

    double total() const { return largest + rest; }
    // log(e^value / sum).
    double log_share(float value) const { return (value - largest) - rest; }
    double share(float value) const { return exact_exp(log_share(value)); }
};

// Summed in order. -inf for no values or for nothing above -inf; NaN when a value is NaN or +inf.
LogSum log_sum_exp(std::span<const float> values);

}  // namespace neox

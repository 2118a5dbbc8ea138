// GPT-NeoX in float64, as plain loops over the dequantized weights of a GGUF file: what the engine's logits are
// compared with. Shares nothing with the forward of native/model but the configuration and dequantize_row.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "quant/quant.h"

namespace reference {

using namespace neox;
using Vector = std::vector<double>;

class Model {
public:
    // Dequantizes every tensor of the file.
    explicit Model(const std::string& path) {
        const File file(path);
        const GgufFile gguf = read_gguf(file);
        config = config_from_gguf(gguf).config;
        for (const Tensor& tensor : gguf.tensors) {
            std::vector<std::byte> bytes(tensor.n_bytes);
            file.read_at(gguf.data_offset + tensor.offset, bytes);
            const auto n =
                static_cast<std::int64_t>(tensor.shape[0] * (tensor.n_dims > 1 ? tensor.shape[1] : 1));
            std::vector<float> values(static_cast<std::size_t>(n));
            dequantize_row(tensor.dtype, bytes.data(), n, values.data());
            weights_[tensor.name] = Vector(values.begin(), values.end());
        }
    }

    // Logits after every position of ids[0], ids[1], ...: [ids.size()][n_vocab]. Positions count from 0. Dynamic RoPE
    // scaling is not known here.
    std::vector<Vector> logits(const std::vector<std::int32_t>& ids) const {
        std::vector<Vector> x;
        const auto n_embd = static_cast<std::size_t>(config.n_embd);
        for (const std::int32_t id : ids) {
            const double* row = at("token_embd.weight").data() + static_cast<std::size_t>(id) * n_embd;
            x.emplace_back(row, row + n_embd);
        }
        for (std::int32_t layer = 0; layer < config.n_layer; ++layer) run_layer(text("blk.", layer, "."), x);
        std::vector<Vector> out;
        for (const Vector& row : x) out.push_back(product("output.weight", norm("output_norm", row)));
        return out;
    }

    Config config;

private:
    const Vector& at(const std::string& name) const { return weights_.at(name); }

    // W x
    Vector product(const std::string& name, const Vector& x) const {
        const Vector& w = at(name);
        Vector y(w.size() / x.size());
        for (std::size_t row = 0; row < y.size(); ++row)
            for (std::size_t k = 0; k < x.size(); ++k) y[row] += w[row * x.size() + k] * x[k];
        return y;
    }
    // W x + b
    Vector linear(const std::string& name, const Vector& x) const {
        Vector y = product(name + ".weight", x);
        for (std::size_t i = 0; i < y.size(); ++i) y[i] += at(name + ".bias")[i];
        return y;
    }
    // (x - mean) / sqrt(variance + eps) * w + b
    Vector norm(const std::string& name, const Vector& x) const {
        const auto n = static_cast<double>(x.size());
        double mean = 0, variance = 0;
        for (const double value : x) mean += value / n;
        for (const double value : x) variance += (value - mean) * (value - mean) / n;
        const double scale = 1 / std::sqrt(variance + static_cast<double>(config.norm_eps));
        Vector y(x.size());
        for (std::size_t i = 0; i < x.size(); ++i)
            y[i] = (x[i] - mean) * scale * at(name + ".weight")[i] + at(name + ".bias")[i];
        return y;
    }
    double gelu(double x) const {
        if (config.hidden_act == HiddenAct::gelu_erf) return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
        return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    }
    // Rotates pairs (j, j + n_rot / 2) of one head by pos * base^(-2 j / n_rot).
    void rotate(double* head, std::size_t pos) const {
        const std::int32_t half = config.n_rot / 2;
        const double factor = config.rope_scaling == RopeScaling::linear ? config.rope_factor : 1.0;
        for (std::int32_t j = 0; j < half; ++j) {
            const double frequency = std::pow(static_cast<double>(config.rope_base), -2.0 * j / config.n_rot);
            const double angle = static_cast<double>(pos) / factor * frequency;
            const double a = head[j], b = head[j + half];
            head[j] = a * std::cos(angle) - b * std::sin(angle);
            head[j + half] = b * std::cos(angle) + a * std::sin(angle);
        }
    }
    // softmax(q K^T / sqrt(head_dim)) V of one head over positions 0 to pos; a row of qkv is q, k, v, head by head.
    void attend(const std::vector<Vector>& qkv, std::size_t pos, std::size_t head, double* out) const {
        const auto dim = static_cast<std::size_t>(config.head_dim()),
                   n_embd = static_cast<std::size_t>(config.n_embd);
        Vector weights(pos + 1);
        double largest = -INFINITY, total = 0;
        for (std::size_t p = 0; p <= pos; ++p) {
            for (std::size_t i = 0; i < dim; ++i)
                weights[p] += qkv[pos][head * dim + i] * qkv[p][n_embd + head * dim + i];
            weights[p] /= std::sqrt(static_cast<double>(dim));
            largest = std::max(largest, weights[p]);
        }
        for (double& weight : weights) total += weight = std::exp(weight - largest);
        for (std::size_t i = 0; i < dim; ++i) {
            out[i] = 0;
            for (std::size_t p = 0; p <= pos; ++p)
                out[i] += weights[p] / total * qkv[p][2 * n_embd + head * dim + i];
        }
    }

    void run_layer(const std::string& prefix, std::vector<Vector>& x) const {
        const auto n_embd = static_cast<std::size_t>(config.n_embd),
                   n_head = static_cast<std::size_t>(config.n_head);
        const std::size_t dim = n_embd / n_head;
        std::vector<Vector> qkv;
        for (std::size_t pos = 0; pos < x.size(); ++pos) {
            qkv.push_back(linear(prefix + "attn_qkv", norm(prefix + "attn_norm", x[pos])));
            for (std::size_t head = 0; head < 2 * n_head; ++head) rotate(qkv[pos].data() + head * dim, pos);
        }
        for (std::size_t pos = 0; pos < x.size(); ++pos) {
            Vector heads(n_embd);
            for (std::size_t head = 0; head < n_head; ++head)
                attend(qkv, pos, head, heads.data() + head * dim);
            const Vector attn = linear(prefix + "attn_output", heads);
            Vector mid = x[pos];
            for (std::size_t i = 0; i < n_embd; ++i) mid[i] += attn[i];
            const Vector& ffn_input = config.parallel_residual ? x[pos] : mid;
            Vector inner = linear(prefix + "ffn_up", norm(prefix + "ffn_norm", ffn_input));
            for (double& value : inner) value = gelu(value);
            const Vector ffn = linear(prefix + "ffn_down", inner);
            for (std::size_t i = 0; i < n_embd; ++i) x[pos][i] = mid[i] + ffn[i];
        }
    }

    std::map<std::string, Vector> weights_;
};

// max |a - b| / max |b| over all rows; a: [b.size()][n] in one piece.
inline double relative_difference(const std::vector<float>& a, const std::vector<Vector>& b) {
    double largest = 0, difference = 0;
    for (std::size_t row = 0; row < b.size(); ++row)
        for (std::size_t i = 0; i < b[row].size(); ++i) {
            largest = std::max(largest, std::fabs(b[row][i]));
            const double d = std::fabs(static_cast<double>(a[row * b[row].size() + i]) - b[row][i]);
            difference = d <= difference ? difference : d;  // a NaN stays
        }
    return difference / largest;
}

}  // namespace reference

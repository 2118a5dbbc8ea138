#include "cuda/weights.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "cuda/embed_rows.h"

namespace neox::cuda {

namespace {

// The longest row that is uploaded at once, in bytes: of a matrix as in the file, of a vector in f32.
std::size_t longest_row(std::span<const TensorSpec> tensors) {
    std::uint64_t most = 0;
    for (const TensorSpec& tensor : tensors) {
        const DType dtype = is_matrix(tensor.role) ? tensor.dtype : DType::F32;
        most = std::max(most, row_bytes(dtype, static_cast<std::uint64_t>(tensor.n_cols)));
    }
    return static_cast<std::size_t>(most);
}

DeviceBuffer<std::byte> allocate(std::uint64_t n_bytes) {
    try {
        return DeviceBuffer<std::byte>(static_cast<std::size_t>(n_bytes));
    } catch (const Error& error) {
        if (error.code() != ErrorCode::out_of_memory) throw;
        const DeviceMemory have = device_memory();
        fail(ErrorCode::out_of_memory, "The weights take ", n_bytes, " bytes of the GPU's memory, of which ",
             have.free_bytes, " of ", have.total_bytes, " are free.");
    }
}

MatrixView* matrix_of(ModelWeights& weights, LayerWeights* layer, Role role) {
    if (role == Role::token_embd) return &weights.token_embd;
    if (role == Role::output) return &weights.output;
    if (!layer) return nullptr;
    switch (role) {
        case Role::attn_qkv: return &layer->attn_qkv;
        case Role::attn_output: return &layer->attn_output;
        case Role::ffn_up: return &layer->ffn_up;
        case Role::ffn_down: return &layer->ffn_down;
        default: return nullptr;
    }
}

const float** vector_of(ModelWeights& weights, LayerWeights* layer, Role role) {
    if (role == Role::output_norm) return &weights.output_norm;
    if (role == Role::output_norm_bias) return &weights.output_norm_bias;
    if (!layer) return nullptr;
    switch (role) {
        case Role::attn_norm: return &layer->attn_norm;
        case Role::attn_norm_bias: return &layer->attn_norm_bias;
        case Role::attn_qkv_bias: return &layer->attn_qkv_bias;
        case Role::attn_output_bias: return &layer->attn_output_bias;
        case Role::ffn_norm: return &layer->ffn_norm;
        case Role::ffn_norm_bias: return &layer->ffn_norm_bias;
        case Role::ffn_up_bias: return &layer->ffn_up_bias;
        case Role::ffn_down_bias: return &layer->ffn_down_bias;
        default: return nullptr;
    }
}

}  // namespace

Weights::Weights(const Config& c, std::span<const TensorSpec> tensors)
    : config(c), memory_(allocate(device_bytes(tensors))), uploader_(longest_row(tensors)) {
    view_.layers.resize(static_cast<std::size_t>(c.n_layer));
    std::byte* at = memory_.data();
    for (const TensorSpec& tensor : tensors) {
        Place place{tensor, nullptr, {}};
        if (is_matrix(tensor.role))
            place.matrix = matrix_view(tensor.dtype, tensor.n_rows, tensor.n_cols, at);
        else
            place.vector = reinterpret_cast<float*>(at);
        if (!places_.emplace(std::pair{tensor.role, tensor.layer}, place).second)
            fail(ErrorCode::internal, "Role ", static_cast<int>(tensor.role), " of layer ", tensor.layer,
                 " is given twice.");
        set(place);
        at += device_bytes(tensor);
    }
    Stream stream;
    stream.fill_zero(memory_.data(), memory_.bytes());
    stream.synchronize();
}

void Weights::set(const Place& place) {
    const TensorSpec& tensor = place.tensor;
    const auto index = static_cast<std::size_t>(tensor.layer);
    LayerWeights* layer = tensor.layer >= 0 && index < view_.layers.size() ? &view_.layers[index] : nullptr;
    MatrixView* matrix = matrix_of(view_, layer, tensor.role);
    const float** vector = vector_of(view_, layer, tensor.role);
    if (matrix)
        *matrix = place.matrix;
    else if (vector)
        *vector = place.vector;
    else
        fail(ErrorCode::internal, "Role ", static_cast<int>(tensor.role), " of layer ", tensor.layer,
             " has no place in the GPU's weights.");
}

void Weights::upload(const Upload& slice) {
    const auto entry = places_.find({slice.role, slice.layer});
    if (entry == places_.end())
        fail(ErrorCode::internal, "Role ", static_cast<int>(slice.role), " of layer ", slice.layer,
             " was not announced.");
    const Place& place = entry->second;
    const TensorSpec& tensor = place.tensor;
    if (slice.dtype != tensor.dtype || slice.n_cols != tensor.n_cols || slice.row_begin < 0 ||
        slice.row_count < 0 || slice.row_count > tensor.n_rows - slice.row_begin)
        fail(ErrorCode::internal, "Rows ", slice.row_begin, " to ", slice.row_begin + slice.row_count, " of ",
             slice.n_cols, " columns are no slice of a tensor of ", tensor.n_rows, " rows and ",
             tensor.n_cols, " columns.");
    if (place.vector)
        uploader_.upload_vector(place.vector, slice.dtype, slice.rows, slice.n_cols);
    else
        uploader_.upload_rows(place.matrix, slice.n_cols, slice.row_begin, slice.row_count, slice.rows);
}

const ModelWeights& Weights::view() const {
    uploader_.finish();
    return view_;
}

Weights::Gather::Gather(std::int32_t n_embd)
    : token(1), row(static_cast<std::size_t>(n_embd)), device_token(1),
      device_row((static_cast<std::size_t>(n_embd) + kGroupColumns - 1) / kGroupColumns * kGroupColumns) {}

void Weights::embed(std::int32_t token, float* out) const {
    const MatrixView& embedding = view_.token_embd;
    if (!embedding.codes) fail(ErrorCode::internal, "The embedding is not on this device.");
    if (token < 0 || token >= embedding.n_rows)
        fail(ErrorCode::invalid_argument, "Token id ", token, " is outside the vocabulary of ",
             embedding.n_rows, ".");
    uploader_.finish();
    const std::lock_guard lock(gather_mutex_);
    if (!gather_) gather_ = std::make_unique<Gather>(config.n_embd);
    Gather& g = *gather_;
    *g.token.data() = token;
    g.stream.copy_to_device(g.device_token.data(), g.token.data(), g.token.bytes());
    launch_embed_rows(g.stream, {.embedding = embedding,
                                 .tokens = g.device_token.data(),
                                 .given = nullptr,
                                 .out = g.device_row.data(),
                                 .n_rows = 1,
                                 .n_cols = config.n_embd,
                                 .stride = static_cast<std::int32_t>(g.device_row.size())});
    g.stream.copy_to_host(g.row.data(), g.device_row.data(), g.row.bytes());
    g.stream.synchronize();
    std::memcpy(out, g.row.data(), g.row.bytes());
}

}  // namespace neox::cuda

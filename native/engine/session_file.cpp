#include "engine/session_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <string>
#include <type_traits>

#include "base/checked.h"

namespace neox {

namespace {

constexpr char kMagic[8] = {'N', 'E', 'O', 'X', 'S', 'E', 'S', 'S'};
constexpr std::uint32_t kVersion = 2;
constexpr const char* kPrecisionNames[] = {"exact", "high", "fast"};

struct SessionHeader {
    char magic[8];
    std::uint32_t version;
    std::int32_t precision, kv_type;
    std::int32_t n_layer, n_embd, n_head, n_ff, n_vocab, n_rot, n_ctx_train;
    std::int32_t rope_scaling, hidden_act, parallel_residual;
    float rope_base, rope_factor, norm_eps;
    std::uint64_t weights;
    std::uint64_t n_positions, n_prompts, n_embeddings;
    std::uint64_t n_blocks, block_bytes;
    std::uint64_t n_dropped;
};
static_assert(sizeof(SessionHeader) == 128 && std::is_trivially_copyable_v<SessionHeader>);
static_assert(sizeof(PromptRun) == 16 && sizeof(Token) == 4);

// What the header keeps of the model's hyperparameters, for reading and for writing.
template <class Header, class Parameters, class Pair>
void pair_hyperparameters(Header& h, Parameters& c, Pair pair) {
    pair(h.n_layer, c.n_layer);
    pair(h.n_embd, c.n_embd);
    pair(h.n_head, c.n_head);
    pair(h.n_ff, c.n_ff);
    pair(h.n_vocab, c.n_vocab);
    pair(h.n_rot, c.n_rot);
    pair(h.n_ctx_train, c.n_ctx_train);
    pair(h.rope_scaling, c.rope_scaling);
    pair(h.hidden_act, c.hidden_act);
    pair(h.parallel_residual, c.parallel_residual);
    pair(h.rope_base, c.rope_base);
    pair(h.rope_factor, c.rope_factor);
    pair(h.norm_eps, c.norm_eps);
}

template <class T> void check_range(const char* what, T value, T low, T high) {
    if (value < low || value > high)
        fail(ErrorCode::format_value, "The session's ", what, " is ", value, ", outside [", low, ", ", high,
             "].");
}

// Reads what follows, piece after piece.
struct Cursor {
    const ByteSource& source;
    Hash64& hash;
    std::uint64_t offset = 0;

    template <class T> void read(T* values, std::size_t n) {
        const std::span bytes(reinterpret_cast<std::byte*>(values), n * sizeof(T));
        source.read_at(offset, bytes);
        hash.add(bytes);
        offset += bytes.size();
    }
};

// The file has exactly the size that its counts ask for; only then is anything allocated for them.
std::uint64_t check_sizes(const SessionHeader& h, std::uint64_t file_bytes) {
    if (h.n_positions > static_cast<std::uint64_t>(kMostSavedPositions))
        fail(ErrorCode::format_limit, "The session has ", h.n_positions, " positions; at most ",
             kMostSavedPositions, " are accepted.");
    if (h.n_prompts > h.n_positions || h.n_embeddings > h.n_positions ||
        h.n_blocks > h.n_positions / kKvBlock)
        fail(ErrorCode::format_value, "The session of ", h.n_positions, " positions has ", h.n_prompts,
             " prompts, ", h.n_embeddings, " embeddings and ", h.n_blocks, " KV blocks of ", kKvBlock, ".");
    const std::uint64_t embedding_bytes =
        checked_mul(h.n_embeddings, 4 * static_cast<std::uint64_t>(h.n_embd), "embeddings");
    const std::uint64_t head = sizeof h + 5 * h.n_positions + 16 * h.n_prompts + embedding_bytes + 8;
    const std::uint64_t blocks = checked_mul(h.n_blocks, h.block_bytes, "KV blocks");
    const std::uint64_t total = checked_add(checked_add(head, blocks, "session"), 8, "session");
    if (file_bytes < total)
        fail(ErrorCode::format_truncated, "The session takes ", total, " bytes, but the file has ",
             file_bytes, ".");
    if (file_bytes > total)
        fail(ErrorCode::format_value, "The file has ", file_bytes - total, " bytes beyond the session's ",
             total, ".");
    return head;
}

SessionBinding read_binding(const SessionHeader& h) {
    check_range("precision", h.precision, 0, static_cast<int>(std::size(kPrecisionNames)) - 1);
    check_range("KV type", h.kv_type, 0, static_cast<int>(std::size(kKvTypeNames)) - 1);
    for (const std::int32_t count : {h.n_layer, h.n_embd, h.n_head, h.n_ff, h.n_vocab, h.n_ctx_train})
        if (count < 1) fail(ErrorCode::format_value, "A count of the session's model is ", count, ".");
    check_range("rope scaling", h.rope_scaling, 0, 2);
    check_range("hidden act", h.hidden_act, 0, 1);
    for (const float value : {h.rope_base, h.rope_factor, h.norm_eps})
        if (!std::isfinite(value))
            fail(ErrorCode::format_value, "A real of the session's model is ", value, ".");
    SessionBinding binding;
    pair_hyperparameters(h, binding.config, [](const auto& stored, auto& value) {
        value = static_cast<std::remove_reference_t<decltype(value)>>(stored);
    });
    binding.weights = h.weights;
    binding.precision = static_cast<Precision>(h.precision);
    binding.kv_type = static_cast<KvType>(h.kv_type);
    return binding;
}

// Every row of a prompt lies in the last run that begins before it, as Sequence::rope_length expects.
void check_prompts(const SequenceRows& rows) {
    std::int64_t previous = -1;
    for (const PromptRun& run : rows.prompts) {
        if (run.begin <= previous || run.begin >= rows.length() || run.end <= run.begin ||
            run.end > kMostSavedPositions)
            fail(ErrorCode::format_value, "The session has a prompt from ", run.begin, " to ", run.end,
                 ", after ", previous, " and of ", rows.length(), " positions.");
        previous = run.begin;
    }
    auto next = rows.prompts.begin();
    std::int64_t end = 0;  // of the run that holds `pos`
    for (std::int64_t pos = 0; pos < rows.length(); ++pos) {
        if (next != rows.prompts.end() && next->begin == pos) end = (next++)->end;
        const bool is_prompt = rows.phases[static_cast<std::size_t>(pos)] == RowPhase::prompt;
        if (is_prompt && pos >= end)
            fail(ErrorCode::format_value, "Row ", pos, " of the session is of no prompt.");
        if (!is_prompt && rows.tokens[static_cast<std::size_t>(pos)] == kEmbedding)
            fail(ErrorCode::format_value, "Row ", pos, " of the session was sampled, but has no token.");
    }
}

SequenceRows read_rows(const SessionHeader& h, Cursor& cursor) {
    SequenceRows rows;
    check_range<std::uint64_t>("dropped tokens", h.n_dropped, 0, std::uint64_t{1} << 53);
    rows.n_dropped = static_cast<std::int64_t>(h.n_dropped);
    const std::size_t n = static_cast<std::size_t>(h.n_positions);
    rows.tokens.resize(n);
    cursor.read(rows.tokens.data(), n);
    for (const Token token : rows.tokens) check_range("token", token, kEmbedding, h.n_vocab - 1);
    for (std::size_t pos = 0; pos < n; ++pos)
        if (rows.tokens[pos] == kEmbedding)
            rows.embedding_positions.push_back(static_cast<std::int64_t>(pos));
    if (rows.embedding_positions.size() != h.n_embeddings)
        fail(ErrorCode::format_value, "The session has ", h.n_embeddings, " embeddings for ",
             rows.embedding_positions.size(), " rows.");
    rows.prompts.resize(static_cast<std::size_t>(h.n_prompts));
    cursor.read(rows.prompts.data(), rows.prompts.size());
    std::vector<std::uint8_t> phases(n);
    cursor.read(phases.data(), n);
    for (const std::uint8_t phase : phases) {
        if (phase > 1) fail(ErrorCode::format_value, "A row of the session has phase ", int{phase}, ".");
        rows.phases.push_back(static_cast<RowPhase>(phase));
    }
    check_prompts(rows);
    rows.embeddings.resize(static_cast<std::size_t>(h.n_embeddings) * static_cast<std::size_t>(h.n_embd));
    cursor.read(rows.embeddings.data(), rows.embeddings.size());
    for (const float value : rows.embeddings)
        if (!std::isfinite(value))
            fail(ErrorCode::format_value, "An embedding of the session holds ", value, ".");
    return rows;
}

template <class T> void append(std::vector<std::byte>& bytes, Hash64& hash, const T* values, std::size_t n) {
    const auto piece = std::as_bytes(std::span(values, n));
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    hash.add(piece);
}

}  // namespace

SessionFile parse_session(const ByteSource& source) {
    SessionHeader h{};
    Hash64 hash;
    Cursor cursor{source, hash};
    const std::size_t there = static_cast<std::size_t>(std::min<std::uint64_t>(source.size(), sizeof kMagic));
    source.read_at(0, std::span(reinterpret_cast<std::byte*>(h.magic), there));
    if (there > 0 && std::memcmp(h.magic, kMagic, there) != 0)
        fail(ErrorCode::format_magic, "The file is no saved session: it does not begin with NEOXSESS.");
    cursor.read(&h, 1);
    if (h.version != kVersion)
        fail(ErrorCode::format_version, "The session has version ", h.version, "; only ", kVersion,
             " is known.");
    SessionFile file;
    file.binding = read_binding(h);
    file.n_blocks = h.n_blocks;
    file.block_bytes = h.block_bytes;
    file.blocks_offset = check_sizes(h, source.size());
    file.rows = read_rows(h, cursor);
    file.checksum = hash.value();
    std::uint64_t checksum = 0;
    source.read_at(cursor.offset, std::as_writable_bytes(std::span(&checksum, 1)));
    if (checksum != file.checksum)
        fail(ErrorCode::format_value, "The session is damaged: its checksum does not match.");
    return file;
}

std::vector<std::byte> write_session_head(const SessionBinding& binding, const SequenceRows& rows,
                                          std::uint64_t n_blocks, std::uint64_t block_bytes) {
    SessionHeader h{};
    std::memcpy(h.magic, kMagic, sizeof kMagic);
    h.version = kVersion;
    h.precision = static_cast<std::int32_t>(binding.precision);
    h.kv_type = static_cast<std::int32_t>(binding.kv_type);
    pair_hyperparameters(h, binding.config, [](auto& stored, const auto& value) {
        stored = static_cast<std::remove_reference_t<decltype(stored)>>(value);
    });
    h.weights = binding.weights;
    h.n_positions = rows.tokens.size();
    h.n_prompts = rows.prompts.size();
    h.n_embeddings = rows.embedding_positions.size();
    h.n_blocks = n_blocks;
    h.block_bytes = block_bytes;
    h.n_dropped = static_cast<std::uint64_t>(rows.n_dropped);
    std::vector<std::uint8_t> phases;
    for (const RowPhase phase : rows.phases) phases.push_back(static_cast<std::uint8_t>(phase));
    std::vector<std::byte> bytes;
    Hash64 hash;
    append(bytes, hash, &h, 1);
    append(bytes, hash, rows.tokens.data(), rows.tokens.size());
    append(bytes, hash, rows.prompts.data(), rows.prompts.size());
    append(bytes, hash, phases.data(), phases.size());
    append(bytes, hash, rows.embeddings.data(), rows.embeddings.size());
    const std::uint64_t checksum = hash.value();
    append(bytes, hash, &checksum, 1);
    return bytes;
}

void check_binding(const SessionBinding& file, const SessionBinding& model, bool is_model_alone) {
    std::string differences;
    const auto compare = [&](const char* what, const auto& saved, const auto& own) {
        if (saved != own)
            differences += text(differences.empty() ? "" : ", ", what, " ", saved, " instead of ", own);
    };
    const Config &a = file.config, &b = model.config;
    compare("numHiddenLayers", a.n_layer, b.n_layer);
    compare("hiddenSize", a.n_embd, b.n_embd);
    compare("numAttentionHeads", a.n_head, b.n_head);
    compare("intermediateSize", a.n_ff, b.n_ff);
    compare("vocabSize", a.n_vocab, b.n_vocab);
    compare("rotary dimensions", a.n_rot, b.n_rot);
    compare("maxPositionEmbeddings", a.n_ctx_train, b.n_ctx_train);
    compare("ropeTheta", a.rope_base, b.rope_base);
    compare("ropeScaling type", static_cast<int>(a.rope_scaling), static_cast<int>(b.rope_scaling));
    compare("ropeScaling factor", a.rope_factor, b.rope_factor);
    compare("layerNormEps", a.norm_eps, b.norm_eps);
    compare("hiddenAct", static_cast<int>(a.hidden_act), static_cast<int>(b.hidden_act));
    compare("useParallelResidual", a.parallel_residual, b.parallel_residual);
    if (!differences.empty())
        fail(ErrorCode::session_mismatch, "The session was saved with another model: ", differences, ".");
    if (file.weights != model.weights)
        fail(ErrorCode::session_mismatch, "The session was saved with other weights than the model's: "
                                          "another checkpoint, or another type.");
    if (is_model_alone) return;
    const auto name_of = [](const auto& names, auto value) {
        return std::string(names[static_cast<int>(value)]);
    };
    compare("precision", name_of(kPrecisionNames, file.precision), name_of(kPrecisionNames, model.precision));
    compare("kvCacheType", name_of(kKvTypeNames, file.kv_type), name_of(kKvTypeNames, model.kv_type));
    if (!differences.empty())
        fail(ErrorCode::session_mismatch, "The session was saved with other settings: ", differences,
             ". It can be computed again from its tokens (recompute).");
}

}  // namespace neox

#include "cuda/uploader.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "cuda/split_planes.h"
#include "quant/quant.h"

namespace neox::cuda {

namespace {

// As many threads copy at once as read files fastest; a piece is large enough for its launches not to count.
constexpr int kMostLanes = 16;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

}  // namespace

Uploader::Lane::Lane(std::size_t piece_bytes) {
    for (Piece& piece : pieces) {
        piece.host.reset(piece_bytes);
        piece.device.reset(piece_bytes);
    }
}

Uploader::Lane::~Lane() {
    try {
        stream.synchronize();
    } catch (const Error&) {
        // The GPU works on nothing any more, which is all that matters to the memory here.
    }
}

Uploader::Piece& Uploader::Lane::next() {
    Piece& piece = pieces[turn];
    turn = 1 - turn;
    if (piece.is_used) piece.done.synchronize();
    piece.is_used = false;
    return piece;
}

void Uploader::Lane::mark_used(Piece& piece) {
    stream.record(piece.done);
    piece.is_used = true;
}

// A lane for the duration of a call.
class Uploader::Hold {
public:
    explicit Hold(Uploader& owner) : owner_(owner), lane_(owner.take()) {}
    ~Hold() { owner_.give_back(std::move(lane_)); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    Lane* operator->() { return lane_.get(); }

private:
    Uploader& owner_;
    std::unique_ptr<Lane> lane_;
};

Uploader::Uploader(std::size_t piece_bytes) : piece_bytes_(std::max(piece_bytes, kPieceBytes)) {
    free_.reserve(kMostLanes);
}

Uploader::~Uploader() = default;

std::unique_ptr<Uploader::Lane> Uploader::take() {
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !free_.empty() || n_lanes_ < kMostLanes; });
        if (!free_.empty()) {
            std::unique_ptr<Lane> lane = std::move(free_.back());
            free_.pop_back();
            return lane;
        }
        ++n_lanes_;
    }
    try {
        return std::make_unique<Lane>(piece_bytes_);
    } catch (...) {
        const std::lock_guard lock(mutex_);
        --n_lanes_;
        changed_.notify_all();
        throw;
    }
}

void Uploader::give_back(std::unique_ptr<Lane> lane) noexcept {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(lane));
    changed_.notify_all();
}

void Uploader::upload_rows(const MatrixView& to, std::int64_t n_cols, std::int64_t first_row,
                           std::int64_t n_rows, const std::byte* rows) {
    const auto stride = static_cast<std::size_t>(row_bytes(to.dtype, static_cast<std::uint64_t>(n_cols)));
    const auto n_at_once = static_cast<std::int64_t>(piece_bytes_ / stride);
    if (n_at_once == 0) fail(ErrorCode::internal, "A row of ", stride, " bytes is too long for a piece.");
    Hold lane(*this);
    for (std::int64_t row = 0; row < n_rows; row += n_at_once) {
        const std::int64_t n = std::min(n_at_once, n_rows - row);
        const std::size_t n_bytes = static_cast<std::size_t>(n) * stride;
        Piece& piece = lane->next();
        std::memcpy(piece.host.data(), rows + static_cast<std::size_t>(row) * stride, n_bytes);
        lane->stream.copy_to_device(piece.device.data(), piece.host.data(), n_bytes);
        launch_split_planes(lane->stream, {piece.device.data(), static_cast<std::int32_t>(n),
                                           static_cast<std::int32_t>(first_row + row),
                                           static_cast<std::int32_t>(n_cols), to});
        lane->mark_used(piece);
    }
}

void Uploader::upload_vector(float* to, DType dtype, const std::byte* numbers, std::int64_t n) {
    const std::size_t n_bytes = static_cast<std::size_t>(n) * sizeof(float);
    if (n_bytes > piece_bytes_)
        fail(ErrorCode::internal, "A vector of ", n, " numbers is too long for a piece.");
    Hold lane(*this);
    Piece& piece = lane->next();
    dequantize_row(dtype, numbers, n, reinterpret_cast<float*>(piece.host.data()));
    lane->stream.copy_to_device(to, piece.host.data(), n_bytes);
    lane->mark_used(piece);
}

void Uploader::finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return static_cast<int>(free_.size()) == n_lanes_; });
    for (const std::unique_ptr<Lane>& lane : free_) lane->stream.synchronize();
    free_.clear();
    n_lanes_ = 0;
    changed_.notify_all();
}

}  // namespace neox::cuda

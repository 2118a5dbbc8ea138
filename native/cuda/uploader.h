// The way of weights from the host to the GPU: several threads at once, each byte copied once by the host, into page-locked memory
// from which the GPU fetches it while the host fills the next piece.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/planes.h"
#include "cuda/runtime.h"

namespace neox::cuda {

class Uploader {
public:
    // Pieces of at least this many bytes, which no row may exceed.
    explicit Uploader(std::size_t piece_bytes);
    ~Uploader();  // waits for what was asked for
    Uploader(const Uploader&) = delete;
    Uploader& operator=(const Uploader&) = delete;

    // Both return when the source has been read, maybe before the GPU has all of it. Thread-safe. Throw what cuda/runtime.h throws,
    // also for something that an earlier call asked for.
    //
    // n_rows rows in GGUF layout become rows first_row and on of a matrix with n_cols columns in the file.
    void upload_rows(const MatrixView& to, std::int64_t n_cols, std::int64_t first_row, std::int64_t n_rows,
                     const std::byte* rows);
    // n numbers of a type of GGUF become f32 at `to`.
    void upload_vector(float* to, DType dtype, const std::byte* numbers, std::int64_t n);

    // Waits until the GPU has everything, and gives the memory of the pieces back; more may be uploaded afterwards.
    void finish();

private:
    // A piece on its way.
    struct Piece {
        PinnedBuffer<std::byte> host;
        DeviceBuffer<std::byte> device;
        Event done;
        bool is_used = false;
    };
    // What one thread at a time works with: while the GPU takes one piece, the host fills the other.
    struct Lane {
        explicit Lane(std::size_t piece_bytes);
        ~Lane();
        Piece& next();  // empty
        void mark_used(Piece& piece);

        Stream stream;
        Piece pieces[2];
        int turn = 0;
    };
    class Hold;

    std::unique_ptr<Lane> take();
    void give_back(std::unique_ptr<Lane> lane) noexcept;

    const std::size_t piece_bytes_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::unique_ptr<Lane>> free_;
    int n_lanes_ = 0;  // free ones and those that a thread holds
};

}  // namespace neox::cuda

// A block of a kernel on the CPU: its threads are fibers of the calling thread, which change at barriers and where a warp meets.
// Warps take turns in a random order, and the lanes of each from the first to the last or from the last to the first, so that a
// barrier or a sync_warp() that is missing shows in some of the orders. A broken rule of cuda/device.cuh that can be seen is
// ERR_NEOX_INTERNAL with the place.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include <ucontext.h>

#include "base/aligned_buffer.h"
#include "base/page_buffer.h"

namespace neox::cuda::emulation {

struct Index3 {
    int x, y, z;
};

struct Words4 {
    std::uint32_t x[4];
};

struct Words2 {
    std::uint32_t x[2];
};

// What a launch asks for: cuda/runtime.h's LaunchShape in plain numbers.
struct Grid {
    Index3 n_blocks;
    int n_threads;
    std::size_t shared_bytes;
    bool may_overlap;
};

class Block {
public:
    Block() = default;
    ~Block() { retire(); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    // Runs kernel() in every thread of every block of the grid, blocks in an order that follows from `seed`.
    void run(const Grid& grid, std::uint64_t seed, const std::function<void()>& kernel);

    // For the thread that runs.
    int thread_id() const { return static_cast<int>(current_); }
    int n_threads() const { return grid_.n_threads; }
    Index3 block_id() const { return block_id_; }
    Index3 grid_size() const { return grid_.n_blocks; }
    std::byte* shared_memory() { return shared_; }
    void sync_block();
    // Waits for the other 31 of the warp. Returns what each of them brought, [32]; kept until the third meeting after this one.
    const Words4* meet(const Words4& brought);
    void copy_later(void* to, const void* from);  // 16 bytes, or zeros from null
    void commit_copies();
    void finish_copies(int n_pending);  // all but the last n_pending groups
    void wait_for_previous_kernel() { fibers_[current_].has_waited = true; }

private:
    struct Copy {
        void* to;
        const void* from;
    };
    struct Meeting {
        int n_here = 0;
        std::uint64_t n_held = 0;
    };
    struct Fiber {
        ucontext_t start;
        std::jmp_buf place;
        Block* owner = nullptr;
        bool has_begun = false, is_done = false, has_waited = false;
        const Meeting* waits_for = nullptr;
        std::uint64_t n_held = 0;  // of the meeting, when it began to wait
        std::uint64_t n_meetings = 0;
        std::vector<Copy> copies;  // not committed
        std::deque<std::vector<Copy>> groups;
    };
    struct Warp {
        Meeting meeting;
        Words4 brought[4][32];
    };

    static void enter(unsigned high, unsigned low);
    void make_fibers();
    void retire();
    void run_block(std::uint64_t seed);
    void resume(std::size_t index);
    void leave();
    void wait_at(Meeting& meeting, int n_expected);
    std::string where() const;

    Grid grid_{};
    Index3 block_id_{};
    const std::function<void()>* kernel_ = nullptr;
    std::exception_ptr error_;
    AlignedBuffer<std::byte> shared_bytes_;
    std::byte* shared_ = nullptr;  // in them, aligned to 128
    PageBuffer stacks_;
    std::vector<Fiber> fibers_;
    std::vector<Warp> warps_;
    Meeting barrier_;
    std::size_t current_ = 0;
    std::jmp_buf scheduler_;
};

// The block whose kernel runs on this thread.
Block& block();
// ERR_NEOX_INTERNAL unless the address is a multiple of `alignment`.
void check_aligned(const void* address, std::size_t alignment, const char* what);

}  // namespace neox::cuda::emulation

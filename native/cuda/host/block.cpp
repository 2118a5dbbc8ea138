#include "cuda/host/block.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/error.h"

namespace neox::cuda::emulation {

namespace {

constexpr std::size_t kStackBytes = 128 << 10;
constexpr int kWarp = 32;

thread_local Block* running = nullptr;

// Whether a warp's lanes take turns from the last to the first.
bool is_backwards(std::size_t warp, std::uint64_t seed) {
    return ((seed + 1) * 0x9e3779b97f4a7c15u >> (32 + warp) & 1u) != 0;
}

// The permutation of 0 .. n - 1 that a seed gives.
std::vector<std::size_t> shuffled(std::size_t n, std::uint64_t seed) {
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = n; i > 1; --i) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX generator
        std::swap(order[i - 1], order[(seed >> 33) % i]);
    }
    return order;
}

}  // namespace

Block& block() {
    if (!running) fail(ErrorCode::internal, "A function of the device was called outside a kernel.");
    return *running;
}

void check_aligned(const void* address, std::size_t alignment, const char* what) {
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    if (number % alignment != 0)
        fail(ErrorCode::internal, what, " is ", number % alignment, " bytes past a multiple of ", alignment,
             ".");
}

std::string Block::where() const {
    return text("in thread ", current_, " of block (", block_id_.x, ", ", block_id_.y, ", ", block_id_.z,
                ")");
}

// A fiber lives on from block to block: it waits behind leave() for its next kernel.
void Block::enter(unsigned high, unsigned low) {
    auto* fiber = reinterpret_cast<Fiber*>(static_cast<std::uintptr_t>(high) << 32 | low);
    Block& owner = *fiber->owner;
    for (;;) {
        try {
            (*owner.kernel_)();
        } catch (...) {
            if (!owner.error_) owner.error_ = std::current_exception();
        }
        fiber->is_done = true;
        owner.leave();
    }
}

void Block::retire() {
    fibers_.clear();
    stacks_ = {};
}

void Block::make_fibers() {
    const auto n = static_cast<std::size_t>(grid_.n_threads);
    if (fibers_.size() >= n) return;
    retire();
    stacks_ = PageBuffer(n * kStackBytes, "the stacks of a block", PageUse::lazy);
    fibers_ = std::vector<Fiber>(n);
    for (std::size_t i = 0; i < n; ++i) {
        Fiber& fiber = fibers_[i];
        fiber.owner = this;
        if (getcontext(&fiber.start) != 0) fail(ErrorCode::internal, "getcontext failed.");
        fiber.start.uc_stack.ss_sp = stacks_.data() + i * kStackBytes;
        fiber.start.uc_stack.ss_size = kStackBytes;
        fiber.start.uc_link = nullptr;
        const auto address = reinterpret_cast<std::uintptr_t>(&fiber);
        makecontext(&fiber.start, reinterpret_cast<void (*)()>(enter), 2,
                    static_cast<unsigned>(address >> 32), static_cast<unsigned>(address & 0xffffffffu));
    }
}

// From the scheduler into a fiber, which comes back by leave(). Without signal masks a change costs no system call.
void Block::resume(std::size_t index) {
    current_ = index;
    if (_setjmp(scheduler_) != 0) return;
    Fiber& fiber = fibers_[index];
    if (fiber.has_begun) _longjmp(fiber.place, 1);
    fiber.has_begun = true;
    setcontext(&fiber.start);
}

void Block::leave() {
    if (_setjmp(fibers_[current_].place) == 0) _longjmp(scheduler_, 1);
}

void Block::wait_at(Meeting& meeting, int n_expected) {
    if (++meeting.n_here == n_expected) {
        meeting.n_here = 0;
        ++meeting.n_held;
        return;
    }
    Fiber& fiber = fibers_[current_];
    fiber.waits_for = &meeting;
    fiber.n_held = meeting.n_held;
    leave();
    fiber.waits_for = nullptr;
}

void Block::sync_block() { wait_at(barrier_, grid_.n_threads); }

const Words4* Block::meet(const Words4& brought) {
    Fiber& fiber = fibers_[current_];
    Warp& warp = warps_[current_ / kWarp];
    Words4* places = warp.brought[fiber.n_meetings++ % 4];
    places[current_ % kWarp] = brought;
    wait_at(warp.meeting, kWarp);
    return places;
}

void Block::copy_later(void* to, const void* from) { fibers_[current_].copies.push_back({to, from}); }

void Block::commit_copies() {
    Fiber& fiber = fibers_[current_];
    fiber.groups.push_back(std::move(fiber.copies));
    fiber.copies.clear();
}

void Block::finish_copies(int n_pending) {
    Fiber& fiber = fibers_[current_];
    while (fiber.groups.size() > static_cast<std::size_t>(n_pending)) {
        for (const Copy& copy : fiber.groups.front()) {
            if (copy.from)
                std::memcpy(copy.to, copy.from, 16);
            else
                std::memset(copy.to, 0, 16);
        }
        fiber.groups.pop_front();
    }
}

void Block::run_block(std::uint64_t seed) {
    const auto n = static_cast<std::size_t>(grid_.n_threads);
    std::memset(shared_, 0xff, grid_.shared_bytes);  // NaN in f32 and f16
    barrier_ = {};
    warps_.assign(n / kWarp, Warp{});
    for (std::size_t i = 0; i < n; ++i) {
        Fiber& fiber = fibers_[i];
        fiber.is_done = fiber.has_waited = false;
        fiber.waits_for = nullptr;
        fiber.n_meetings = 0;
        fiber.copies.clear();
        fiber.groups.clear();
    }
    const std::vector<std::size_t> order = shuffled(n / kWarp, seed);
    std::size_t n_done = 0;
    while (n_done < n) {
        bool has_moved = false;
        for (const std::size_t warp : order) {
            const std::size_t turn = is_backwards(warp, seed) ? kWarp - 1 : 0;
            for (std::size_t lane = 0; lane < kWarp; ++lane) {
                const std::size_t i = warp * kWarp + (lane ^ turn);
                Fiber& fiber = fibers_[i];
                if (fiber.is_done || (fiber.waits_for && fiber.waits_for->n_held == fiber.n_held)) continue;
                resume(i);
                has_moved = true;
                if (error_) return;
                n_done += fiber.is_done ? 1 : 0;
            }
        }
        if (has_moved) continue;
        for (current_ = 0; !fibers_[current_].waits_for;) ++current_;
        fail(ErrorCode::internal, "A ", fibers_[current_].waits_for == &barrier_ ? "block" : "warp",
             " waits for threads that do not come, ", where(), ".");
    }
    for (current_ = 0; current_ < n; ++current_) {
        const Fiber& fiber = fibers_[current_];
        if (!fiber.copies.empty() || !fiber.groups.empty())
            fail(ErrorCode::internal, "An asynchronous copy was not waited for, ", where(), ".");
        if (grid_.may_overlap && !fiber.has_waited)
            fail(ErrorCode::internal, "A kernel that may overlap another did not wait for it, ", where(),
                 ".");
    }
}

void Block::run(const Grid& grid, std::uint64_t seed, const std::function<void()>& kernel) {
    if (grid.n_threads <= 0 || grid.n_threads % kWarp != 0 || grid.n_threads > 1024)
        fail(ErrorCode::internal, "A block of ", grid.n_threads, " threads.");
    // The largest that an sm_80 or newer has for one block, but for the smaller ones of 99 KiB (sm_86, 89, 120).
    if (grid.shared_bytes > (std::size_t{227} << 10))
        fail(ErrorCode::internal, "A block asks for ", grid.shared_bytes, " bytes of shared memory.");
    grid_ = grid;
    kernel_ = &kernel;
    error_ = nullptr;
    make_fibers();
    shared_bytes_.grow(grid.shared_bytes + 128);
    const auto start = reinterpret_cast<std::uintptr_t>(shared_bytes_.data());
    shared_ = shared_bytes_.data() + (128 - start % 128) % 128;
    const Index3 size = grid.n_blocks;
    if (size.x <= 0 || size.y <= 0 || size.z <= 0 || size.y > 65535 || size.z > 65535)
        fail(ErrorCode::internal, "A grid of (", size.x, ", ", size.y, ", ", size.z, ") blocks.");
    Block* const outer = running;
    running = this;
    try {
        const auto n = static_cast<std::size_t>(size.x) * static_cast<std::size_t>(size.y) *
                       static_cast<std::size_t>(size.z);
        for (const std::size_t id : shuffled(n, seed)) {
            const int rest = static_cast<int>(id / static_cast<std::size_t>(size.x));
            block_id_ = {static_cast<int>(id % static_cast<std::size_t>(size.x)), rest % size.y,
                         rest / size.y};
            run_block(seed ^ id);
            if (error_) std::rethrow_exception(error_);
        }
    } catch (...) {
        running = outer;
        retire();  // fibers stand amid a kernel
        throw;
    }
    running = outer;
}

}  // namespace neox::cuda::emulation

#include "cuda/head.h"

#include <bit>

#include "cuda/device.cuh"
#include "cuda/quad.cuh"

namespace neox::cuda {

namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / 32;
constexpr int kBins = 256, kBinBits = 8;
constexpr std::int32_t kNoId = 0x7fffffff;
// Entries that are sorted in shared memory; more are sorted where they lie, more slowly.
constexpr std::size_t kSharedEntries = 4096;

std::size_t n_entries(std::int32_t max_top) { return std::bit_ceil(static_cast<std::size_t>(max_top)); }

struct Best {
    float logit;
    std::int32_t id;
};

// What follows are the entries to be sorted.
struct HeadShared {
    Best bests[kWarps];
    std::int32_t has_nan[kWarps];
    double sums[kThreads];
    double parts[32];
    std::int32_t bins[kBins];
    // The bin where a selection ends: which, entries in it, and how many of them are wanted.
    std::int32_t bin, n_in_bin, n_wanted;
    std::int32_t n_found;
};

// Of the most likely ids: entries below or in prefix << shift.
struct Selection {
    std::uint64_t prefix;
    int shift;
};

class Row {
public:
    NEOX_DEVICE Row(const HeadArgs& args, const HeadRow& row)
        : a_(args), row_(row), logits_(args.logits + row.row * args.stride),
          shared_(*shared_as<HeadShared>()) {}

    NEOX_DEVICE void run() {
        const bool has_nan = find_best();
        if (thread_id() == 0) a_.results[block_id().x] = {best_.id, has_nan ? 1 : 0};
        if (has_nan || (row_.n_targets == 0 && row_.n_top == 0)) return;
        find_normalizer();
        for (int i = row_.first_target + thread_id(); i < row_.first_target + row_.n_targets; i += kThreads)
            a_.target_logprobs[i] = logprob(a_.targets[i]);
        if (row_.n_top > 0) write_top();
    }

private:
    // of_logit(logit, id, is_there) for every id, by all lanes of a warp together.
    template <class OfLogit> NEOX_DEVICE void for_logits(OfLogit of_logit) const {
        constexpr int kAtOnce = 4;
        for (std::int32_t begin = 0; begin < a_.n_vocab; begin += 4 * kAtOnce * kThreads) {
            Quad quads[kAtOnce];
            NEOX_UNROLL
            for (int i = 0; i < kAtOnce; ++i) {
                const std::int32_t id = begin + 4 * (i * kThreads + thread_id());
                quads[i] = load_quad(logits_ + (id < a_.n_vocab ? id : 0));
            }
            NEOX_UNROLL
            for (int i = 0; i < kAtOnce; ++i) NEOX_UNROLL
            for (int j = 0; j < 4; ++j) {
                const std::int32_t id = begin + 4 * (i * kThreads + thread_id()) + j;
                of_logit(quads[i].v[j], id, id < a_.n_vocab);
            }
        }
    }

    NEOX_DEVICE static Best better(const Best& a, const Best& b) {
        return b.logit > a.logit || (b.logit == a.logit && b.id < a.id) ? b : a;
    }

    NEOX_DEVICE bool find_best() {
        best_ = {-infinity(), kNoId};
        bool has_nan = false;
        for_logits([&](float logit, std::int32_t id, bool is_there) {
            if (!is_there) return;
            has_nan |= logit != logit;
            best_ = better(best_, {logit, id});
        });
        NEOX_UNROLL
        for (int mask = 16; mask > 0; mask /= 2)
            best_ = better(best_, {shuffle_xor(best_.logit, mask), shuffle_xor(best_.id, mask)});
        const bool warp_has_nan = warp_ballot(has_nan) != 0;
        if (lane() == 0) {
            shared_.bests[warp()] = best_;
            shared_.has_nan[warp()] = warp_has_nan ? 1 : 0;
        }
        sync_block();
        has_nan = false;
        for (int i = 0; i < kWarps; ++i) {
            best_ = better(best_, shared_.bests[i]);
            has_nan |= shared_.has_nan[i] != 0;
        }
        return has_nan;
    }

    // log(sum(exp(logit))). Each thread's sum is compensated (Kahan's), theirs is in f64.
    NEOX_DEVICE void find_normalizer() {
        float sum = 0.0f, lost = 0.0f;
        for_logits([&](float logit, std::int32_t, bool is_there) {
            if (!is_there) return;
            const float term = expf_(logit - best_.logit) - lost, next = sum + term;
            lost = (next - sum) - term;
            sum = next;
        });
        shared_.sums[thread_id()] = static_cast<double>(sum) - static_cast<double>(lost);
        sync_block();
        if (warp() == 0) {
            double part = 0.0;
            for (int i = 0; i < kWarps; ++i) part += shared_.sums[32 * i + lane()];
            shared_.parts[lane()] = part;
        }
        sync_block();
        double total = 0.0;
        for (int i = 0; i < 32; ++i) total += shared_.parts[i];
        normalizer_ = static_cast<double>(best_.logit) + log_(total);
    }

    NEOX_DEVICE float logprob(std::int32_t id) const {
        return static_cast<float>(static_cast<double>(logits_[id]) - normalizer_);
    }

    // An entry for each id, all of them different: the smaller, the more likely. Zeros of both signs are the same.
    NEOX_DEVICE static std::uint64_t entry(float logit, std::int32_t id) {
        const std::uint32_t bits = bits_of_float(logit + 0.0f);
        const std::uint32_t falling = bits >> 31 != 0 ? bits : ~bits & 0x7fffffffu;
        return static_cast<std::uint64_t>(falling) << 32 | static_cast<std::uint32_t>(id);
    }

    NEOX_DEVICE void write_top() {
        const Selection selection = select();
        std::uint64_t* entries = sorted_entries();
        if (thread_id() == 0) shared_.n_found = 0;
        std::int32_t n = 1;
        while (n < row_.n_top) n *= 2;
        for (std::int32_t i = row_.n_top + thread_id(); i < n; i += kThreads) entries[i] = ~std::uint64_t{0};
        sync_block();
        for_logits([&](float logit, std::int32_t id, bool is_there) {
            const std::uint64_t e = entry(logit, id);
            if (is_there && e >> selection.shift <= selection.prefix)
                entries[atomic_add(&shared_.n_found, 1)] = e;
        });
        sort(entries, n);
        for (std::int32_t i = thread_id(); i < row_.n_top; i += kThreads) {
            const auto id = static_cast<std::int32_t>(entries[i] & 0xffffffffu);
            a_.top_ids[row_.first_top + i] = id;
            a_.top_logprobs[row_.first_top + i] = logprob(id);
        }
    }

    NEOX_DEVICE std::uint64_t* sorted_entries() const {
        std::size_t n = 1;
        while (n < static_cast<std::size_t>(a_.max_top)) n *= 2;
        if (n <= kSharedEntries) return shared_as<std::uint64_t>(sizeof(HeadShared));
        return a_.scratch + static_cast<std::size_t>(block_id().x) * n;
    }

    // The digits of the n_top-th smallest entry from the highest on, until all that begin like it are wanted.
    NEOX_DEVICE Selection select() {
        Selection s{0, 64};
        std::int32_t n_wanted = row_.n_top;
        do {
            s.shift -= kBinBits;
            count(s);
            if (warp() == 0) find_bin(n_wanted);
            sync_block();
            s.prefix = s.prefix << kBinBits | static_cast<std::uint32_t>(shared_.bin);
            n_wanted = shared_.n_wanted;
        } while (shared_.n_in_bin != n_wanted);
        return s;
    }

    // Entries that begin with the prefix, by their next digit. Logits share their first digits: those of a warp with the same
    // one are counted at once.
    NEOX_DEVICE void count(const Selection& s) {
        sync_block();
        for (int i = thread_id(); i < kBins; i += kThreads) shared_.bins[i] = 0;
        sync_block();
        for_logits([&](float logit, std::int32_t id, bool is_there) {
            const std::uint64_t e = entry(logit, id) >> s.shift;
            const auto digit = static_cast<std::int32_t>(e % kBins);
            const bool is_wanted = is_there && e / kBins == s.prefix;
            for (std::uint32_t rest = warp_ballot(is_wanted); rest != 0;) {
                const int first = lowest_bit(rest);
                const std::int32_t common = shuffle(digit, first);
                const std::uint32_t same = warp_ballot(is_wanted && digit == common);
                if (lane() == first) atomic_add(&shared_.bins[common], count_bits(same));
                rest &= ~same;
            }
        });
        sync_block();
    }

    // By the first warp: each lane has eight bins.
    NEOX_DEVICE void find_bin(std::int32_t n_wanted) {
        constexpr int kOwn = kBins / 32;
        std::int32_t own = 0;
        for (int i = 0; i < kOwn; ++i) own += shared_.bins[kOwn * lane() + i];
        std::int32_t n_before = 0;  // in the lanes before
        for (int from = 0; from < 31; ++from) {
            const std::int32_t other = shuffle(own, from);
            n_before += from < lane() ? other : 0;
        }
        if (n_before >= n_wanted || n_before + own < n_wanted) return;
        int bin = kOwn * lane();
        while (n_before + shared_.bins[bin] < n_wanted) n_before += shared_.bins[bin++];
        shared_.bin = bin;
        shared_.n_in_bin = shared_.bins[bin];
        shared_.n_wanted = n_wanted - n_before;
    }

    // Bitonic, of n = 2^m entries.
    NEOX_DEVICE static void sort(std::uint64_t* entries, std::int32_t n) {
        sync_block();
        for (std::int32_t size = 2; size <= n; size *= 2)
            for (std::int32_t step = size / 2; step > 0; step /= 2) {
                for (std::int32_t i = thread_id(); i < n / 2; i += kThreads) {
                    const std::int32_t low = i / step * 2 * step + i % step, high = low + step;
                    const std::uint64_t a = entries[low], b = entries[high];
                    const bool is_rising = (low & size) == 0;
                    if ((a > b) == is_rising) {
                        entries[low] = b;
                        entries[high] = a;
                    }
                }
                sync_block();
            }
    }

    const HeadArgs& a_;
    const HeadRow row_;
    const float* logits_;
    HeadShared& shared_;
    Best best_{};
    double normalizer_ = 0.0;
};

NEOX_KERNEL void NEOX_BOUNDS(kThreads, 2) head_rows(HeadArgs args) {
    let_next_kernel_start();
    wait_for_previous_kernel();
    const HeadRow row = args.rows[block_id().x];
    if (row.row >= 0) Row(args, row).run();
}

}  // namespace

std::size_t head_scratch(std::int32_t max_top) {
    const std::size_t n = n_entries(max_top);
    return n <= kSharedEntries ? 0 : n;
}

void launch_head(Stream& stream, const HeadArgs& args) {
    if (args.n == 0) return;
    LaunchShape shape;
    shape.x = args.n;
    shape.n_threads = kThreads;
    shape.shared_bytes = sizeof(HeadShared);
    if (args.max_top > 0 && head_scratch(args.max_top) == 0)
        shape.shared_bytes += n_entries(args.max_top) * sizeof(std::uint64_t);
    shape.may_overlap = true;
    stream.launch(head_rows, shape, args);
}

}  // namespace neox::cuda

// Every type of KV cache on the checkpoints: how far it moves the logits, and that sharing blocks leaves no trace.
#include <cmath>
#include <cstring>
#include <random>

#include "check.h"
#include "golden.h"
#include "kernels/dispatch.h"
#include "model/kv_memory.h"

namespace {

using namespace neox;
using golden::EngineSetup;
using golden::Rig;

constexpr KvType kKvTypes[] = {KvType::f32, KvType::f16, KvType::q8_0};

using golden::path_of;

std::vector<Token> ids_of(int n, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<Token> ids;
    for (int i = 0; i < n; ++i) ids.push_back(static_cast<Token>(random() % 96));
    return ids;
}

// How far rounding the cache may move a logit, as a share of the largest one: about twice what was found, 8e-4 and 2.5e-2
// where prompts are f32 or int16. Those in int8 round each of their activations again, and a small difference may cross to the
// next value anywhere: 2.0e-2 and 3.5e-2.
double limit(KvType type, Arithmetic prompt) {
    if (prompt == Arithmetic::q8) return type == KvType::f16 ? 4e-2 : 8e-2;
    return type == KvType::f16 ? 2e-3 : 5e-2;
}

Arithmetic prompt_arithmetic(Precision precision, bool is_quantized) {
    if (precision == Precision::exact) return Arithmetic::f32;
    return precision == Precision::fast && is_quantized ? Arithmetic::q8 : Arithmetic::int16;
}

}  // namespace

TEST(kv_types_stay_near_f32_on_every_checkpoint_in_every_precision) {
    const std::vector<Token> ids = ids_of(70, 1);
    for (const std::string& name : golden::checkpoints())
        for (const auto type : {std::optional<FileType>{}, std::optional(FileType::Q8_0)})
            for (const Precision precision : {Precision::exact, Precision::high, Precision::fast}) {
                EngineSetup setup;
                setup.type = type;
                setup.precision = precision;
                const std::vector<float> expected = Rig(path_of(name), setup).logits(ids);
                for (const KvType kv : {KvType::f16, KvType::q8_0}) {
                    setup.kv_type = kv;
                    Rig rig(path_of(name), setup);
                    const double difference = golden::relative_difference(rig.logits(ids), expected);
                    CHECK_NEAR(difference, 0, limit(kv, prompt_arithmetic(precision, type.has_value())));
                    CHECK(difference > 0);  // the type is in use
                    CHECK_EQ(rig.generate(ids, 3).size(), 3u);
                }
            }
}

// Both write into the block that they share, which each of them must have copied.
TEST(kv_types_fork_inside_a_block_without_a_trace) {
    for (const KvType kv : kKvTypes) {
        EngineSetup setup;
        setup.kv_type = kv;
        Rig rig(path_of("sequential-erf"), setup);
        const auto start = [&] {
            CallRequest r = rig.request(ids_of(70, 2), 5);
            const auto sequence = r.sequence;
            rig.run(std::move(r));
            return sequence;
        };
        const auto logits_of = [&](const std::shared_ptr<Sequence>& sequence, unsigned seed) {
            CallRequest r = rig.request(ids_of(20, seed), 0);
            r.sequence = sequence;
            r.logits_at = {0, 19};
            return rig.run(std::move(r))->logits;
        };
        const std::vector<float> first = logits_of(start(), 3), second = logits_of(start(), 4);
        const auto original = start(), fork = rig.engine->fork(*original, original->length());
        CHECK(logits_of(fork, 4) == second);
        CHECK(logits_of(original, 3) == first);
        CHECK(first != second);
    }
}

// How heads lie in the memory depends on the number of threads, what is read and written does not.
TEST(kv_types_blocks_are_read_as_written_on_any_number_of_threads) {
    Config c;
    c.n_layer = 2;
    for (const std::int32_t n_head : {22, 3, 1}) {
        c.n_head = n_head;
        c.n_embd = 8 * n_head;
        for (const std::int32_t n_threads : {1, 2, 3, 5, 16, 64}) {
            KvMemory memory(c, KvType::f16, 3, n_threads, 0, c.n_layer);
            CHECK_EQ(memory.group_heads() % memory.thread_heads(), 0);
            CHECK(memory.thread_heads() * n_threads >= n_head);
            CHECK((n_head + memory.group_heads() - 1) / memory.group_heads() <= 4);
            const std::size_t tile_bytes = static_cast<std::size_t>(kv_tile_bytes(KvType::f16, 8));
            std::vector<std::byte> blocks[3];
            std::mt19937 random(6);
            for (std::int32_t i = 0; i < 3; ++i) {
                std::vector<std::byte>& block = blocks[i];
                while (block.size() < memory.block_bytes())
                    block.push_back(static_cast<std::byte>(random() & 255));
                memory.write(i, block.data());
            }
            memory.copy(2, 0);
            for (const auto& [block, source] : {std::pair{0, 2}, {1, 1}, {2, 2}}) {
                std::vector<std::byte> read(memory.block_bytes());
                memory.read(block, read.data());
                CHECK(read == blocks[source]);
                for (std::int32_t layer = 0; layer < c.n_layer; ++layer)
                    for (std::int32_t head = 0; head < n_head; ++head) {
                        const auto at = static_cast<std::size_t>(2 * layer * n_head + head) * tile_bytes,
                                   value_at = at + static_cast<std::size_t>(n_head) * tile_bytes;
                        CHECK(std::memcmp(memory.k(layer, block, head), read.data() + at, tile_bytes) == 0);
                        CHECK(std::memcmp(memory.v(layer, block, head), read.data() + value_at, tile_bytes) ==
                              0);
                        if (head % memory.group_heads() == 0) continue;
                        CHECK(memory.k(layer, block, head) == memory.k(layer, block, head - 1) + tile_bytes);
                        CHECK(memory.v(layer, block, head) == memory.v(layer, block, head - 1) + tile_bytes);
                    }
            }
        }
    }
}

TEST(kv_types_copy_the_first_positions_of_a_block) {
    for (const char* name : {"sequential-erf", "odd-shapes", "gpt-neox-20b"})
        for (const KvType kv : kKvTypes) {
            const auto model = load_model(path_of(name), cpu_device(), {{}, 1, {}, nullptr});
            const Config& c = model->config();
            const BackendOptions options{Precision::exact, kv, 1, 4, 64, 16};
            Backend backend{};
            check(cpu_device().create_backend(model->weights->handle(), &options, &backend));
            const auto tile_bytes = static_cast<std::size_t>(kv_tile_bytes(kv, c.head_dim())),
                       n_tiles = backend.kv_block_bytes / tile_bytes;
            CHECK_EQ(backend.kv_block_bytes, n_tiles * tile_bytes);
            CHECK_EQ(n_tiles, static_cast<std::size_t>(2 * c.n_layer * c.n_head));
            const std::size_t n_head = static_cast<std::size_t>(c.n_head);
            const auto side_of = [&](std::size_t tile) {
                return tile / n_head % 2 == 0 ? KvSide::keys : KvSide::values;
            };
            std::vector<std::byte> source(backend.kv_block_bytes), target(source.size());
            std::mt19937 random(5);
            std::vector<float> row(static_cast<std::size_t>(c.head_dim())), copied(row.size());
            for (std::size_t tile = 0; tile < n_tiles; ++tile)
                for (int position = 0; position < kKvBlock; ++position) {
                    for (float& value : row) value = static_cast<float>(random() % 2000) / 100.0f - 10.0f;
                    active_kernels().store_kv(kv, side_of(tile), row.data(), c.head_dim(),
                                              source.data() + tile * tile_bytes, position);
                }
            check(backend.kv_write(backend.self, 1, source.data()));
            check(backend.kv_copy(backend.self, 1, 2, 37));
            check(backend.kv_read(backend.self, 2, target.data()));
            backend.destroy(backend.self);
            for (std::size_t tile = 0; tile < n_tiles; ++tile)
                for (int position = 0; position < 37; ++position) {
                    const auto read = [&](const std::vector<std::byte>& from, std::vector<float>& to) {
                        active_kernels().load_kv(kv, side_of(tile), from.data() + tile * tile_bytes, position,
                                                 c.head_dim(), to.data());
                    };
                    read(source, row);
                    read(target, copied);
                    CHECK(row == copied);
                }
        }
}

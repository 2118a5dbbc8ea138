#include "jobs/session.h"

#include <cstring>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/file.h"

namespace neox {

namespace {

void report(const JobControl& control, std::uint64_t done, std::uint64_t total) {
    control.check();
    if (control.on_progress) control.on_progress(done, total);
}

std::uint64_t checksum_of(const std::vector<std::byte>& head) {
    std::uint64_t checksum = 0;
    std::memcpy(&checksum, head.data() + head.size() - sizeof checksum, sizeof checksum);
    return checksum;
}

// What ends the file.
std::uint64_t last_checksum(Hash64 blocks, std::uint64_t head) {
    blocks.add_word(head);
    return blocks.value();
}

// Into a sequence that nobody else knows. What does not fit into the pool is still read, for its checksum.
void restore_blocks(const SequenceHold& held, const SessionFile& file, const File& input,
                    const JobControl& control) {
    Engine& engine = held.engine();
    Hash64 hash;
    AlignedBuffer<std::byte> memory(engine.block_bytes());
    const std::span<std::byte> block(memory.data(), memory.size());
    std::uint64_t offset = file.blocks_offset;
    bool has_room = true;
    for (std::uint64_t i = 0; i < file.n_blocks; ++i, offset += block.size()) {
        report(control, offset, input.size());
        input.read_at(offset, block);
        hash.add(block);
        has_room = has_room && engine.write_block(held.sequence(), static_cast<std::int64_t>(i), block.data(),
                                                  control.cancel);
    }
    std::uint64_t checksum = 0;
    input.read_at(offset, std::as_writable_bytes(std::span(&checksum, 1)));
    if (checksum != last_checksum(hash, file.checksum))
        fail(ErrorCode::format_value,
             "The session is damaged: the checksum of its KV blocks does not match.");
}

std::shared_ptr<Sequence> restore(Engine& engine, const SessionBinding& binding, const File& input,
                                  bool recompute, const JobControl& control) {
    SessionFile file = parse_session(FileBytes(input));
    check_binding(file.binding, binding, recompute);
    // The last token of a session that shifts may be one too many: it is fed by the next call, which makes room for it.
    if (file.rows.length() > engine.options().n_ctx + 1)
        fail(ErrorCode::context_full, "The session of ", file.rows.length(),
             " tokens exceeds the context of ", engine.options().n_ctx, ".");
    const bool has_blocks = file.n_blocks > 0 && file.binding.precision == binding.precision &&
                            file.binding.kv_type == binding.kv_type;
    if (has_blocks && file.block_bytes != engine.block_bytes())
        fail(ErrorCode::format_value, "A KV block of the session has ", file.block_bytes,
             " bytes instead of ", engine.block_bytes(), ".");
    const SequenceHold held(engine, engine.create_sequence(std::move(file.rows)));
    if (has_blocks) restore_blocks(held, file, input, control);
    report(control, input.size(), input.size());
    return held.shared();
}

}  // namespace

void save_session(const SequenceHold& held, const SessionBinding& binding, const std::string& path,
                  const JobControl& control) {
    Engine& engine = held.engine();
    const SequenceRows& rows = held.sequence().rows();
    OutputFile output(path);
    AlignedBuffer<std::byte> memory(engine.block_bytes());
    const std::span<std::byte> block(memory.data(), memory.size());
    // How many blocks there will be is known when the first one is missing; the head takes the same room in any case.
    const std::uint64_t head_bytes = write_session_head(binding, rows, 0, block.size()).size();
    std::uint64_t n_blocks = 0;
    const std::uint64_t most =
        head_bytes + static_cast<std::uint64_t>(rows.length() / kKvBlock) * block.size();
    std::uint64_t offset = head_bytes;
    Hash64 hash;
    while (engine.read_block(held.sequence(), static_cast<std::int64_t>(n_blocks), block.data(),
                             control.cancel)) {
        output.write_at(offset, block);
        hash.add(block);
        offset += block.size();
        ++n_blocks;
        report(control, offset, most);
    }
    const std::vector<std::byte> head = write_session_head(binding, rows, n_blocks, block.size());
    output.write_at(0, head);
    const std::uint64_t checksum = last_checksum(hash, checksum_of(head));
    output.write_at(offset, std::as_bytes(std::span(&checksum, 1)));
    output.commit();
}

std::shared_ptr<Sequence> restore_session(Engine& engine, const SessionBinding& binding,
                                          const std::string& path, bool recompute,
                                          const JobControl& control) {
    const File input(path);
    try {
        return restore(engine, binding, input, recompute, control);
    } catch (const Error& error) {
        throw Error(error.code(), text("Cannot restore '", path, "': ", error.what()));
    }
}

}  // namespace neox

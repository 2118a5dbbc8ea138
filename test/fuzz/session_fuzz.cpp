// A saved session: what is accepted is whole, can be written again as it was, and can be fed to a sequence.
#include <cmath>
#include <cstring>

#include "base/byte_source.h"
#include "engine/session_file.h"
#include "fuzz.h"

namespace {

using namespace neox;

void check_file(fuzz::Bytes bytes) {
    const SessionFile file = parse_session(MemoryBytes(bytes));
    const SequenceRows& rows = file.rows;
    __extension__ using Wide = unsigned __int128;
    fuzz::require(file.blocks_offset + Wide{file.n_blocks} * file.block_bytes + 8 == bytes.size(),
                  "head, blocks and checksum make up the file");
    fuzz::require(rows.phases.size() == rows.tokens.size() && file.n_blocks * kKvBlock <= rows.tokens.size(),
                  "every row has a phase, every block its rows");
    fuzz::require(rows.embeddings.size() ==
                      rows.embedding_positions.size() * static_cast<std::size_t>(file.binding.config.n_embd),
                  "every embedding is whole");
    std::size_t n_runs = 0;
    for (std::size_t pos = 0; pos < rows.tokens.size(); ++pos) {
        while (n_runs < rows.prompts.size() && rows.prompts[n_runs].begin <= static_cast<std::int64_t>(pos))
            ++n_runs;
        fuzz::require(rows.tokens[pos] >= -1 && rows.tokens[pos] < file.binding.config.n_vocab,
                      "tokens are of the vocabulary");
        fuzz::require(rows.phases[pos] == RowPhase::step ||
                          (n_runs > 0 && rows.prompts[n_runs - 1].end > static_cast<std::int64_t>(pos)),
                      "every row of a prompt lies in one");
    }
    const std::vector<std::byte> again =
        write_session_head(file.binding, rows, file.n_blocks, file.block_bytes);
    fuzz::require(again.size() == file.blocks_offset &&
                      std::memcmp(again.data(), bytes.data(), again.size()) == 0,
                  "what is written is what was read");
}

// A mutation breaks the checksum before anything else, so it is mended: its place follows from the header's counts.
void mend(std::vector<std::byte>& bytes) {
    const SequenceRows none;
    const std::vector<std::byte> empty = write_session_head({}, none, 0, 0);
    if (bytes.size() < empty.size()) return;
    std::uint64_t counts[3];
    std::uint32_t n_embd;
    std::memcpy(counts, bytes.data() + 80, sizeof counts);
    std::memcpy(&n_embd, bytes.data() + 24, sizeof n_embd);
    for (const std::uint64_t count : counts)
        if (count > bytes.size()) return;
    const std::uint64_t pieces[] = {128, 4 * counts[0], 16 * counts[1], counts[0], 4 * counts[2] * n_embd};
    Hash64 hash;
    std::uint64_t offset = 0;
    for (const std::uint64_t piece : pieces) {
        if (piece > bytes.size() - offset) return;
        hash.add(std::span(bytes).subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(piece)));
        offset += piece;
    }
    if (bytes.size() - offset < 8) return;
    const std::uint64_t checksum = hash.value();
    std::memcpy(bytes.data() + offset, &checksum, sizeof checksum);
}

void parse(fuzz::Bytes bytes) {
    fuzz::accepts([&] { check_file(bytes); });
    std::vector<std::byte> mended(bytes.begin(), bytes.end());
    mend(mended);
    check_file(mended);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::one_input(data, size, parse);
}

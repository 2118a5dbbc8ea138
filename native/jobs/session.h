// Saving a session to a file and restoring it. Both may wait for the engine's thread, which copies a block between two
// batches: other calls go on meanwhile.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"
#include "engine/session_file.h"
#include "jobs/control.h"

namespace neox {

// Keeps a sequence as it is while it lives: calls on it meanwhile are ERR_NEOX_BUSY.
class SequenceHold {
public:
    // Throws ERR_NEOX_BUSY while a call runs on the sequence.
    SequenceHold(Engine& engine, std::shared_ptr<Sequence> sequence)
        : engine_(engine), sequence_(std::move(sequence)) {
        engine_.hold(*sequence_);
    }
    ~SequenceHold() { engine_.release(*sequence_); }
    SequenceHold(const SequenceHold&) = delete;
    SequenceHold& operator=(const SequenceHold&) = delete;

    Engine& engine() const { return engine_; }
    Sequence& sequence() const { return *sequence_; }
    const std::shared_ptr<Sequence>& shared() const { return sequence_; }

private:
    Engine& engine_;
    std::shared_ptr<Sequence> sequence_;
};

// Writes the file under its name when it is whole. Whole KV blocks are saved; up to 63 positions after them, and what the
// engine has taken back, are computed again after restoring, with the arithmetic they had first. Throws ERR_NEOX_IO,
// ERR_NEOX_FILE_NOT_FOUND (no such folder), ERR_NEOX_DISPOSED, ERR_NEOX_CANCELLED.
void save_session(const SequenceHold& held, const SessionBinding& binding, const std::string& path,
                  const JobControl& control);

// Restores as many blocks as the KV pool can take. With `recompute` a file of another precision or KV type is taken, too,
// without its blocks. Throws what parse_session and check_binding throw, ERR_NEOX_CONTEXT_FULL,
// ERR_NEOX_FILE_NOT_FOUND, ERR_NEOX_IO, ERR_NEOX_DISPOSED, ERR_NEOX_CANCELLED.
std::shared_ptr<Sequence> restore_session(Engine& engine, const SessionBinding& binding,
                                          const std::string& path, bool recompute, const JobControl& control);

}  // namespace neox

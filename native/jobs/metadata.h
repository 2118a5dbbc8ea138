// The GGUF metadata of a model: llama.cpp's keys and the project's own.
#pragma once

#include "checkpoint/spiece.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/source.h"

namespace neox {

// general.architecture, general.type, general.name and gptneox.*, with the types that llama.cpp insists on.
void set_model_keys(GgufFile& file, const std::string& name, const ParsedConfig& parsed);

// tokenizer.ggml.* for a unigram ("t5") vocabulary of parsed.config.n_vocab tokens; ids beyond the pieces
// become unused tokens "[PAD<id>]". Special ids come from the configuration, else from the tokenizer, with a key
// of the project's own that says so. The model must be validated. ERR_NEOX_FORMAT_SHAPE when there are more
// pieces than rows.
void set_tokenizer_keys(GgufFile& file, const SpieceModel& model, const ParsedConfig& parsed);
// The vocabulary of a file without a tokenizer; special ids of the configuration are kept.
void set_no_tokenizer_keys(GgufFile& file, const ParsedConfig& parsed);

// neox.*: hidden_act and the texts, byte for byte.
void set_own_keys(GgufFile& file, const ParsedConfig& parsed, const ModelText& text);

}  // namespace neox

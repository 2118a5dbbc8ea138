// tokenizer.ggml.*: the tokenizer in llama.cpp's keys.
#pragma once

#include "checkpoint/bpe.h"
#include "checkpoint/spiece.h"
#include "gguf/gguf.h"
#include "model/config.h"
#include "model/source.h"

namespace neox {

// The keys of the tokenizer that the texts hold: "t5" for a spiece.model, "gpt2" for a tokenizer.json with byte-level BPE, else
// "none". A vocabulary has parsed.config.n_vocab tokens; ids that the tokenizer lacks become unused tokens "[PAD<id>]".
// Special ids come from the configuration, else from a sentencepiece model, with a key of the project's own that says so.
// Throws the format codes; ERR_NEOX_FORMAT_SHAPE when an id has no row.
void set_tokenizer_keys(GgufFile& file, const ModelText& texts, const ParsedConfig& parsed);

// tokenizer.chat_template (Jinja, which is never run here): the one given, else that of tokenizer_config.json, if it has one.
void set_chat_template(GgufFile& file, const ModelText& texts, const std::string& given);

}  // namespace neox

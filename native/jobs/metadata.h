// The GGUF metadata of a model: llama.cpp's keys and the project's own. Those of the tokenizer: tokenizer_metadata.h.
#pragma once

#include "gguf/gguf.h"
#include "model/config.h"
#include "model/source.h"

namespace neox {

// general.architecture, general.type, general.name and gptneox.*, with the types that llama.cpp insists on.
void set_model_keys(GgufFile& file, const std::string& name, const ParsedConfig& parsed);

// neox.*: hidden_act and the texts, byte for byte.
void set_own_keys(GgufFile& file, const ParsedConfig& parsed, const ModelText& text);

}  // namespace neox

// The tokenizer of a GGUF file that others wrote: files of Hugging Face made anew from the keys tokenizer.ggml.*.
//
//   tokenizer.ggml.model   "t5"    a sentencepiece model: tokens, scores, token_type, precompiled_charsmap, flags
//                          "gpt2"  a tokenizer.json: tokens, token_type, merges, pre
//                          "none"  no tokenizer; the same for another name, with a note
#pragma once

#include "gguf/gguf.h"
#include "model/source.h"

namespace neox {

// Sets spiece or tokenizer_json, and tokenizer_config, of a file that has neither of the project's own; or
// tokenizer_note, when there is a tokenizer that cannot be had. Never throws for what the file says.
void rebuild_tokenizer(const GgufFile& file, ModelText& texts);

}  // namespace neox

// What the two readers of a configuration share: the integer fields with their names and ranges, and the
// checks that involve several fields.
#pragma once

#include <cstdint>
#include <string>

#include "model/config.h"

namespace neox {

struct IntegerField {
    std::int32_t Config::*field;
    const char* hf_key;
    const char* gguf_key;  // nullptr: not metadata
    std::int64_t hf_default;
    std::int64_t max;  // the minimum is 1; the bounds keep products of any three within 64 bits
};

inline constexpr IntegerField kIntegerFields[] = {
    {&Config::n_vocab, "vocab_size", nullptr, 50432, 1 << 24},
    {&Config::n_embd, "hidden_size", "gptneox.embedding_length", 6144, 1 << 20},
    {&Config::n_layer, "num_hidden_layers", "gptneox.block_count", 44, 512},
    {&Config::n_head, "num_attention_heads", "gptneox.attention.head_count", 64, 1 << 16},
    {&Config::n_ff, "intermediate_size", "gptneox.feed_forward_length", 24576, 1 << 22},
    {&Config::n_ctx_train, "max_position_embeddings", "gptneox.context_length", 2048, 1 << 30},
};

// `value` as a field, or ERR_NEOX_FORMAT_VALUE naming `key`.
std::int32_t checked_field(const IntegerField& field, const char* key, std::int64_t value);
// A finite float above 0 (or from 0 on, with or_zero), or ERR_NEOX_FORMAT_VALUE naming `key`.
float checked_positive(const char* key, double value, bool or_zero = false);
// "gelu" ...; ERR_NEOX_UNSUPPORTED for an activation that is no GELU. `key` is for the message.
HiddenAct hidden_act_from_name(const std::string& name, const char* key);
// Throws unless the fields agree with each other: heads divide the width, rotary dimensions, special ids.
void check_config(const ParsedConfig& parsed);

}  // namespace neox

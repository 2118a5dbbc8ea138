// A Hugging Face directory (config.json, the weights of hf_files.h, spiece.model ...) as a source of tensors.
#pragma once

#include <memory>
#include <string>

#include "model/source.h"

namespace neox {

// Tensors come in the order of expected_tensors(), in the checkpoint's dtype. Buffers of old checkpoints
// (attention.bias, attention.masked_bias, rotary_emb.inv_freq) and tensors of other names are passed over, as
// transformers does. A missing bias of an attention without biases is zeros; a tied head is the embedding.
// ERR_NEOX_UNSUPPORTED for a tensor of another dtype than F32, F16 and BF16, or one that is not contiguous.
std::unique_ptr<TensorSource> open_hf_source(const std::string& folder);

// The texts of the directory, without its tensors or its configuration.
ModelText text_from_folder(const std::string& folder);

// Hugging Face's name of a GGUF tensor, without the prefix "gpt_neox.": "blk.3.ffn_up.bias" ->
// "layers.3.mlp.dense_h_to_4h.bias"; "embed_out.weight" for the head, which has no prefix.
std::string hf_tensor_name(const std::string& gguf_name);

}  // namespace neox

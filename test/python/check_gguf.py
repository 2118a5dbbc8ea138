"""Compares the project's files with gguf-py and transformers. For manual runs; needs numpy, gguf, safetensors, torch.

    check_gguf.py quant FILE_F32.gguf FILE_TYPE.gguf   every matrix of the second equals gguf-py's quantization
    check_gguf.py convert DIRECTORY FILE.gguf          keys that llama.cpp requires; every value equals the checkpoint's
"""

import sys

import gguf
import numpy as np

REQUIRED = {
    "general.architecture": "STRING",
    "general.file_type": "UINT32",
    "gptneox.context_length": "UINT32",
    "gptneox.embedding_length": "UINT32",
    "gptneox.block_count": "UINT32",
    "gptneox.feed_forward_length": "UINT32",
    "gptneox.attention.head_count": "UINT32",
    "gptneox.attention.layer_norm_epsilon": "FLOAT32",
    "gptneox.use_parallel_residual": "BOOL",
    "gptneox.rope.dimension_count": "UINT32",
    "gptneox.rope.freq_base": "FLOAT32",
    "tokenizer.ggml.model": "STRING",
}
T5 = {
    "tokenizer.ggml.tokens": "STRING",
    "tokenizer.ggml.scores": "FLOAT32",
    "tokenizer.ggml.token_type": "INT32",
    "tokenizer.ggml.unknown_token_id": "UINT32",
    "tokenizer.ggml.add_bos_token": "BOOL",
    "tokenizer.ggml.add_eos_token": "BOOL",
    "tokenizer.ggml.add_space_prefix": "BOOL",
    "tokenizer.ggml.remove_extra_whitespaces": "BOOL",
}
HF_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_output": "attention.dense",
    "attn_qkv": "attention.query_key_value",
    "ffn_norm": "post_attention_layernorm",
    "ffn_up": "mlp.dense_h_to_4h",
    "ffn_down": "mlp.dense_4h_to_h",
}


def values(tensor):
    if tensor.tensor_type == gguf.GGMLQuantizationType.F32:
        return np.array(tensor.data)
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type)


def hf_name(name):
    if name == "output.weight":
        return "embed_out.weight"
    if name == "token_embd.weight":
        return "gpt_neox.embed_in.weight"
    if name.startswith("output_norm."):
        return "gpt_neox.final_layer_norm." + name.split(".")[1]
    _, layer, part, kind = name.split(".")
    return f"gpt_neox.layers.{layer}.{HF_NAMES[part]}.{kind}"


def check_quant(plain_path, typed_path):
    plain = {t.name: values(t) for t in gguf.GGUFReader(plain_path).tensors}
    n = 0
    for tensor in gguf.GGUFReader(typed_path).tensors:
        if tensor.tensor_type == gguf.GGMLQuantizationType.F32:
            assert np.array_equal(values(tensor), plain[tensor.name]), tensor.name
            continue
        expected = gguf.quants.quantize(plain[tensor.name], tensor.tensor_type)
        same = np.array_equal(np.ascontiguousarray(tensor.data).view(np.uint8), np.ascontiguousarray(expected).view(np.uint8))
        assert same, tensor.name
        n += 1
    print(f"{n} tensors equal gguf-py's quantization byte for byte")


def check_convert(folder, path):
    import torch
    from safetensors.torch import load_file

    reader = gguf.GGUFReader(path)
    required = dict(REQUIRED)
    if reader.get_field("tokenizer.ggml.model").contents() == "t5":
        required.update(T5)
    for key, kind in required.items():
        field = reader.get_field(key)
        assert field is not None and field.types[-1].name == kind, (key, field and field.types)
    if "tokenizer.ggml.tokens" in required:
        tokens = reader.get_field("tokenizer.ggml.tokens").contents()
        rows = next(t for t in reader.tensors if t.name == "token_embd.weight").shape[1]
        assert len(tokens) == len(set(tokens)) == rows
    heads = reader.get_field("gptneox.attention.head_count").contents()
    checkpoint = load_file(folder + "/model.safetensors")
    for tensor in reader.tensors:
        expected = checkpoint[hf_name(tensor.name)].to(torch.float32).numpy()
        if ".attn_qkv." in tensor.name:
            parts = expected.reshape(heads, 3, -1, *expected.shape[1:])
            expected = np.concatenate([parts[:, i].reshape(-1, *expected.shape[1:]) for i in range(3)])
        actual = values(tensor).reshape(expected.shape)
        if tensor.tensor_type.name in ("F32", "F16", "BF16"):
            tolerance = {"F32": 0.0, "F16": 2**-11, "BF16": 2**-8}[tensor.tensor_type.name]
            assert np.all(np.abs(actual - expected) <= tolerance * np.abs(expected) + tolerance * 1e-4), tensor.name
        else:
            requantized = gguf.quants.dequantize(gguf.quants.quantize(expected, tensor.tensor_type), tensor.tensor_type)
            assert np.array_equal(actual, requantized), tensor.name
    print(f"{len(reader.tensors)} tensors and {len(required)} keys agree")


if __name__ == "__main__":
    {"quant": check_quant, "convert": check_convert}[sys.argv[1]](*sys.argv[2:])

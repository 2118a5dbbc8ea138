"""The type that llama.cpp gives every tensor of a small model, for every file type.

    llama_types.py FOLDER N_LAYER N_EMBD N_FF MODE NAME=NUMBER ...

Writes a GPT-NeoX model of random weights in F16 into FOLDER, has llama.cpp quantize it to each file type (NAME, and its
number among llama_ftype), and prints {NAME: {tensor: type}} as JSON. MODE: plain, pure, or imatrix (with an importance
of one for every column).
"""
import ctypes
import json
import os
import sys

import gguf
import llama_cpp
import numpy

folder, (n_layer, n_embd, n_ff), mode = sys.argv[1], map(int, sys.argv[2:5]), sys.argv[5]
file_types = dict(pair.split("=") for pair in sys.argv[6:])
n_vocab = 32
rng = numpy.random.default_rng(1)


def tensors():
    yield "token_embd.weight", (n_vocab, n_embd)
    for i in range(n_layer):
        for norm in ("attn_norm", "ffn_norm"):
            yield f"blk.{i}.{norm}.weight", (n_embd,)
            yield f"blk.{i}.{norm}.bias", (n_embd,)
        for name, rows, cols in (
            ("attn_qkv", 3 * n_embd, n_embd),
            ("attn_output", n_embd, n_embd),
            ("ffn_up", n_ff, n_embd),
            ("ffn_down", n_embd, n_ff),
        ):
            yield f"blk.{i}.{name}.weight", (rows, cols)
            yield f"blk.{i}.{name}.bias", (rows,)
    yield "output_norm.weight", (n_embd,)
    yield "output_norm.bias", (n_embd,)
    yield "output.weight", (n_vocab, n_embd)


def write(path):
    out = gguf.GGUFWriter(path, "gptneox")
    out.add_context_length(64)
    out.add_embedding_length(n_embd)
    out.add_block_count(n_layer)
    out.add_feed_forward_length(n_ff)
    out.add_head_count(4)
    out.add_layer_norm_eps(1e-5)
    out.add_parallel_residual(False)
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    out.add_tokenizer_model("t5")
    out.add_token_list([f"t{i}" for i in range(n_vocab)])
    out.add_token_scores([0.0] * n_vocab)
    out.add_token_types([1] * n_vocab)
    for name, shape in tensors():
        values = rng.standard_normal(shape).astype(numpy.float32)
        out.add_tensor(name, values.astype(numpy.float16) if len(shape) == 2 else values)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def importance():
    """The entries, ended by one without a name, and what keeps their memory alive."""
    kept, entries = [], []
    for name, shape in tensors():
        if len(shape) != 2:
            continue
        data = (ctypes.c_float * shape[1])(*[1.0] * shape[1])
        kept.append(data)
        entries.append((name.encode(), data, shape[1]))
    entry = llama_cpp.llama_cpp.llama_model_imatrix_data
    array = (entry * (len(entries) + 1))()
    for i, (name, data, size) in enumerate(entries):
        array[i].name = name
        array[i].data = data
        array[i].size = size
    return array, kept


llama_cpp.llama_backend_init()
silence = llama_cpp.llama_log_callback(lambda level, text, data: None)
llama_cpp.llama_log_set(silence, ctypes.c_void_p())
source, target = os.path.join(folder, "f16.gguf"), os.path.join(folder, "quantized.gguf")
write(source)
params = llama_cpp.llama_model_quantize_default_params()
params.nthread = 1
params.pure = mode == "pure"
if mode == "imatrix":
    array, kept = importance()
    params.imatrix = ctypes.cast(array, type(params.imatrix))
found = {}
for name, number in file_types.items():
    params.ftype = int(number)
    status = llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params))
    if status != 0:
        sys.exit(f"llama.cpp could not quantize to {name}")
    found[name] = {t.name: t.tensor_type.name for t in gguf.GGUFReader(target).tensors}
json.dump(found, sys.stdout)

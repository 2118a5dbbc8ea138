"""CTranslate2 with int8 weights. Makes its own model of a checkpoint, as its converter for GPT-NeoX would: matrices as they
are, query, key and value rows regrouped; tokens are called by their ids."""

import json
import sys
import time
from pathlib import Path

import ctranslate2
import numpy as np
from ctranslate2.specs import common_spec, transformer_spec

task = json.loads(sys.argv[-1])
version = f"CTranslate2 {ctranslate2.__version__}"


def read_tensors(folder):
    """Arrays of model.safetensors by name; BF16 as float16, which is as exact for weights of this size and half of float32: all
    of them are held until they are quantized."""
    path = Path(folder) / "model.safetensors"
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + size)
    types = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}

    def tensor(name):
        entry = header[name]
        begin, end = entry["data_offsets"]
        values = data[begin:end].view(types[entry["dtype"]]).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32).astype(np.float16)
        return np.array(values)

    return tensor


def convert():
    config = json.loads((Path(task["checkpoint"]) / "config.json").read_text())
    tensor = read_tensors(task["checkpoint"])
    heads = config["num_attention_heads"]
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        config["num_hidden_layers"],
        heads,
        pre_norm=True,
        activation=common_spec.Activation.GELU,
        rotary_dim=int(config["rotary_pct"] * (config["hidden_size"] // heads)),
        rotary_interleave=False,
        parallel_residual=config["use_parallel_residual"],
        shared_layer_norm=False,
    )

    def set_linear(to, name, regroup=lambda values: values):
        to.weight = regroup(tensor(f"{name}.weight"))
        to.bias = regroup(tensor(f"{name}.bias"))

    def set_norm(to, name):
        to.gamma, to.beta = tensor(f"{name}.weight"), tensor(f"{name}.bias")

    def by_kind(values):
        split = values.reshape(heads, 3, -1, *values.shape[1:])
        return np.ascontiguousarray(split.swapaxes(0, 1).reshape(values.shape))

    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = tensor("gpt_neox.embed_in.weight")
    set_norm(decoder.layer_norm, "gpt_neox.final_layer_norm")
    decoder.projection.weight = tensor("embed_out.weight")
    for index, layer in enumerate(decoder.layer):
        base = f"gpt_neox.layers.{index}"
        parallel = hasattr(layer, "input_layer_norm")
        norms = (
            (layer.input_layer_norm, layer.post_attention_layer_norm)
            if parallel
            else (layer.self_attention.layer_norm, layer.ffn.layer_norm)
        )
        set_norm(norms[0], f"{base}.input_layernorm")
        set_norm(norms[1], f"{base}.post_attention_layernorm")
        set_linear(layer.self_attention.linear[0], f"{base}.attention.query_key_value", by_kind)
        set_linear(layer.self_attention.linear[1], f"{base}.attention.dense")
        set_linear(layer.ffn.linear_0, f"{base}.mlp.dense_h_to_4h")
        set_linear(layer.ffn.linear_1, f"{base}.mlp.dense_4h_to_h")
    tokens = [str(id) for id in range(config["vocab_size"])]
    spec.register_vocabulary(tokens)
    # A model needs the three; generation is kept from stopping at them.
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = tokens[1], tokens[2], tokens[0]
    spec.validate()
    spec.optimize(quantization="int8")
    output = Path(task["output"])
    output.mkdir(parents=True)
    spec.save(str(output))
    return {"version": version}


def run():
    begin = time.perf_counter()
    model = ctranslate2.Generator(
        task["model"], device="cpu", compute_type="int8", inter_threads=1, intra_threads=task["threads"]
    )
    load_seconds = time.perf_counter() - begin

    def generate(ids, count):
        begin = time.perf_counter()
        result = model.generate_batch(
            [[str(id) for id in ids]],
            max_length=count,
            min_length=count,
            beam_size=1,
            sampling_topk=1,
            include_prompt_in_result=False,
        )
        return [int(token) for token in result[0].sequences[0]], time.perf_counter() - begin

    def rate(prompt):
        first = generate(prompt, 1)[1]
        return task["gen"] / (generate(prompt, task["gen"] + 1)[1] - first)

    generate(task["checkIds"][:1], 1)
    first_token_seconds = time.perf_counter() - begin
    ids = generate(task["checkIds"], task["checkTokens"])[0]
    rows = model.forward_batch([[str(id) for id in task["checkIds"]]], return_log_probs=False)
    logits = np.array(rows, dtype=np.float32)[0, -1]
    return {
        "version": version,
        "loadSeconds": load_seconds,
        "firstTokenSeconds": first_token_seconds,
        "pp": len(task["promptIds"]) / generate(task["promptIds"], 1)[1],
        "tg": rate(task["promptIds"][:1]),
        "tgDepth": rate(task["depthIds"]) if task["depth"] > 0 else None,
        "ids": ids,
        "logits": [float(logits[id]) for id in task["logitIds"]],
    }


if task.get("probe"):
    answer = {"version": version}
elif "checkpoint" in task:
    answer = convert()
else:
    answer = run()
print(json.dumps(answer))

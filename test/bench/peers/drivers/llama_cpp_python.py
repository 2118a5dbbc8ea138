"""llama.cpp through llama-cpp-python, whose eval() is one call of llama_decode for each batch."""

import json
import sys
import time

import llama_cpp
import numpy as np

task = json.loads(sys.argv[-1])
version = f"llama-cpp-python {llama_cpp.__version__}"


def load(**more):
    return llama_cpp.Llama(
        task["model"],
        n_ctx=task["contextLength"],
        n_batch=512,
        n_ubatch=512,
        n_threads=task["threads"],
        n_threads_batch=task["threads"],
        flash_attn=task["flash"],
        verbose=False,
        **more,
    )


def last_logits(model):
    row = llama_cpp.llama_get_logits_ith(model._ctx.ctx, -1)
    return np.ctypeslib.as_array(row, shape=(model.n_vocab(),)).copy()


def timed(model, ids):
    begin = time.perf_counter()
    for id in ids:
        model.eval([id])
        last_logits(model)
    return len(ids) / (time.perf_counter() - begin)


def run():
    begin = time.perf_counter()
    model = load()
    load_seconds = time.perf_counter() - begin
    model.eval(task["checkIds"][:1])
    int(last_logits(model).argmax())
    first_token_seconds = time.perf_counter() - begin

    model.reset()
    model.eval(task["checkIds"])
    logits = last_logits(model)
    ids = [int(logits.argmax())]
    while len(ids) < task["checkTokens"]:
        model.eval(ids[-1:])
        ids.append(int(last_logits(model).argmax()))

    model.reset()
    begin = time.perf_counter()
    model.eval(task["promptIds"])
    last_logits(model)
    pp = len(task["promptIds"]) / (time.perf_counter() - begin)

    steps = task["promptIds"][: task["gen"]]
    model.reset()
    model.eval(task["promptIds"][:1])
    tg = timed(model, steps)
    tg_depth = None
    if task["depth"] > 0:
        model.reset()
        model.eval(task["depthIds"])
        tg_depth = timed(model, steps)
    return {
        "version": version,
        "loadSeconds": load_seconds,
        "firstTokenSeconds": first_token_seconds,
        "pp": pp,
        "tg": tg,
        "tgDepth": tg_depth,
        "ids": ids,
        "logits": [float(logits[id]) for id in task["logitIds"]],
    }


def write_logits():
    """Logits of every position of chunks of ids as float32 in a file: by one pass over a chunk, or id by id."""
    model = load(logits_all=task["phase"] == "prompt")
    with open(task["output"], "wb") as file:
        for chunk in task["chunks"]:
            model.reset()
            if task["phase"] == "prompt":
                model.eval(chunk)
                file.write(np.ascontiguousarray(model.scores[: len(chunk)], dtype=np.float32).tobytes())
                continue
            for id in chunk:
                model.eval([id])
                file.write(last_logits(model).tobytes())
    return {"version": version}


if task.get("probe"):
    answer = {"version": version}
elif "phase" in task:
    answer = write_logits()
else:
    answer = run()
print(json.dumps(answer))

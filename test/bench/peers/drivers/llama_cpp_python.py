"""llama.cpp through llama-cpp-python, whose eval() is one call of llama_decode for each batch."""

import json
import sys
import time

import llama_cpp
import numpy as np

task = json.loads(sys.argv[-1])
version = f"llama-cpp-python {llama_cpp.__version__}"


def load():
    return llama_cpp.Llama(
        task["model"],
        n_ctx=task["contextLength"],
        n_batch=512,
        n_ubatch=512,
        n_threads=task["threads"],
        n_threads_batch=task["threads"],
        flash_attn=task["flash"],
        verbose=False,
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


if task.get("probe"):
    answer = {"version": version}
else:
    answer = run()
print(json.dumps(answer))

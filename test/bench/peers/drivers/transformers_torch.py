"""transformers on torch, in bfloat16 with its default attention."""

import json
import sys
import time

import torch
import transformers
from transformers import GPTNeoXForCausalLM

task = json.loads(sys.argv[-1])
version = f"transformers {transformers.__version__}, torch {torch.__version__}"


def run():
    torch.set_num_threads(task["threads"])
    begin = time.perf_counter()
    model = GPTNeoXForCausalLM.from_pretrained(task["model"], dtype=torch.bfloat16).eval()
    load_seconds = time.perf_counter() - begin

    def forward(ids, past=None):
        out = model(torch.tensor([ids]), past_key_values=past, use_cache=True, logits_to_keep=1)
        return out.logits[0, -1].float(), out.past_key_values

    def rate(prompt):
        past = forward(prompt)[1]
        begin = time.perf_counter()
        for id in task["promptIds"][: task["gen"]]:
            past = forward([id], past)[1]
        return task["gen"] / (time.perf_counter() - begin)

    int(forward(task["checkIds"][:1])[0].argmax())
    first_token_seconds = time.perf_counter() - begin
    logits, past = forward(task["checkIds"])
    ids = [int(logits.argmax())]
    row = logits
    while len(ids) < task["checkTokens"]:
        row, past = forward(ids[-1:], past)
        ids.append(int(row.argmax()))
    begin = time.perf_counter()
    forward(task["promptIds"])
    pp = len(task["promptIds"]) / (time.perf_counter() - begin)
    return {
        "version": version,
        "loadSeconds": load_seconds,
        "firstTokenSeconds": first_token_seconds,
        "pp": pp,
        "tg": rate(task["promptIds"][:1]),
        "tgDepth": rate(task["depthIds"]) if task["depth"] > 0 else None,
        "ids": ids,
        "logits": [float(logits[id]) for id in task["logitIds"]],
    }


with torch.inference_mode():
    print(json.dumps({"version": version} if task.get("probe") else run()))

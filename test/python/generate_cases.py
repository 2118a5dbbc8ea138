"""Prints what transformers continues random prompts with, under random settings, on every checkpoint of the fixtures.

    python generate_cases.py SEED COUNT

One JSON line for each case, as test/fixtures/generation.json has them, but with the prompt's ids in `ids` and the logits'
log-probabilities of greedy ids in `logprobs`. Settings that exclude every token somewhere are left out.
"""

import json
import os
import sys
from pathlib import Path

root = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "scripts"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
import transformers

from fixtures import generation, reference

MOST_EMBEDDED = 0.1  # the share of prompts that go in as inputs_embeds

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
seed, count = map(int, sys.argv[1:])
directories = sorted((root / "test" / "fixtures" / "checkpoints").iterdir())


def draw(model, rng: np.random.Generator) -> tuple[list[int], bool, dict]:
    n_vocab = model.config.vocab_size
    length = int(rng.integers(1, 61))
    alphabet = rng.integers(0, n_vocab, int(rng.integers(2, 30)))  # few ids: n-grams come again
    prompt = rng.choice(alphabet, length).tolist()
    embedded = length > 1 and rng.random() < MOST_EMBEDDED
    plain = reference.run(model, prompt, {"maxNewTokens": 24, "eosTokenId": None}, embedded)["sequences"][0]
    family = generation.FAMILIES[int(rng.integers(len(generation.FAMILIES)))]
    options = generation.draw_options(family, plain, length, rng) | {"maxNewTokens": int(rng.integers(1, 33))}
    if family in ("penalised", "blocked") and rng.random() < 0.5:  # the two together, and outside the usual
        options |= {"repetitionPenalty": float(rng.uniform(0.5, 3.0)), "noRepeatNgramSize": int(rng.integers(1, 6))}
    if options.get("numBeams") and rng.random() < 0.3:
        n_beams = int(rng.integers(2, 9))
        options |= {"numBeams": n_beams, "numReturnSequences": n_beams, "lengthPenalty": float(rng.uniform(-2.0, 3.0))}
    # transformers only warns of an eos that can never come; ours refuses the options.
    options["maxNewTokens"] = max(options["maxNewTokens"], options.get("minNewTokens", 1))
    return prompt, embedded, options


for index, directory in enumerate(directories):
    model = reference.load(directory)
    for number in range(count * index // len(directories), count * (index + 1) // len(directories)):
        prompt, embedded, options = draw(model, np.random.Generator(np.random.PCG64([seed, number])))
        case = {"checkpoint": directory.name, "ids": prompt, "options": options}
        result = reference.run(model, prompt, options, embedded)
        if not result.pop("excluded"):
            print(json.dumps(case | ({"embeddings": True} if embedded else {}) | result, separators=(",", ":")))

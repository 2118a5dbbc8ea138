"""Prints what transformers' logits processors make of random rows of scores, as JSON lines.

    python processor_cases.py SEED VECTORS COMBINATIONS

VECTORS rows for each processor, ten for each of COMBINATIONS random combinations. Rows are float32 in base64;
scripts/fixtures/processor_cases.py says what they are. A combination whose reference is no row of numbers is drawn again.
"""

import base64
import dataclasses
import json
import os
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")

import numpy as np
import torch
import transformers

from fixtures.processor_cases import PROCESSORS, Case, Outcome, evaluate, make_model, random_case

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
seed, n_vectors, n_combinations = map(int, sys.argv[1:])
model = make_model()


def encode(row: np.ndarray) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


def show(group: str, case: Case, outcome: Outcome) -> None:
    print(json.dumps({
        "group": group, "options": case.options, "ids": case.ids, "promptLength": case.prompt_length,
        "keep": case.keep, "scores": encode(case.scores), "reference": encode(outcome.reference),
        "exact": encode(outcome.exact), "hasOpenOrder": outcome.has_open_order,
    }))


for index, name in enumerate(PROCESSORS):
    rng = np.random.Generator(np.random.PCG64([seed, index]))
    for _ in range(n_vectors):
        case = random_case(rng, name)
        show(name, case, evaluate(model, case))


def evaluate_combination(case: Case, rng: np.random.Generator) -> list[tuple[Case, Outcome]]:
    """Ten rows; none where the reference has NaN, which a softmax of nothing but -inf gives."""
    outcomes = []
    for _ in range(10):
        try:
            outcome = evaluate(model, case)
        except ValueError:  # of torch.distributions, which refuses NaN
            return []
        if np.isnan(outcome.reference).any():
            return []
        outcomes.append((dataclasses.replace(case), outcome))
        scale = rng.choice([0.5, 2.0, 6.0])
        case.scores = (scale * rng.standard_normal(len(case.scores))).astype(np.float32)
    return outcomes


rng = np.random.Generator(np.random.PCG64([seed, len(PROCESSORS)]))
done = 0
while done < n_combinations:
    outcomes = evaluate_combination(random_case(rng, "combination"), rng)
    for each in outcomes:
        show("combination", *each)
    done += bool(outcomes)

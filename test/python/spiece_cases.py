"""Prints what transformers' slow T5Tokenizer makes of random text and random ids, with tokenizers of every shape.

    python spiece_cases.py FOLDER SEED STRINGS LISTS GGUF

Writes the tokenizers into FOLDER, one directory each; that of the GGUF file too, as `demo`. Prints JSON lines: a tokenizer's
name and ids of special tokens, then its cases as scripts/fixtures/spiece_cases.py describes them, STRINGS and LISTS in all.
"""

import json
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gguf
import sentencepiece
import transformers

from fixtures.spiece_cases import Cases, load, named_ids
from fixtures.spiece_shapes import models, random_shape, shapes

N_RANDOM = 12

if (transformers.__version__, sentencepiece.__version__) != ("4.57.6", "0.2.1"):
    sys.exit(f"transformers {transformers.__version__} and sentencepiece {sentencepiece.__version__} are not the reference: "
             "4.57.6 and 0.2.1 are (NEOX_PYTHON names another Python)")

transformers.logging.set_verbosity(transformers.logging.CRITICAL)
folder, seed, n_strings, n_lists, demo = sys.argv[1:]
folder = Path(folder)
known = models()
rng = random.Random(f"shapes {seed}")
all_shapes = shapes() | {f"random-{i}": random_shape(rng) for i in range(N_RANDOM)}
for name, shape in all_shapes.items():
    shape.write(folder / name, known)

(folder / "demo").mkdir()
fields = gguf.GGUFReader(demo).fields
(folder / "demo" / "spiece.model").write_bytes(bytes(fields["neox.tokenizer.spiece"].contents()))
(folder / "demo" / "tokenizer_config.json").write_text(fields["neox.tokenizer.config"].contents(), encoding="utf-8")

names = [*all_shapes, "demo"]
for index, name in enumerate(names):
    cases = Cases(load(folder / name), f"{seed} {name}")
    print(json.dumps({"shape": name} | named_ids(cases.tokenizer)))
    share = [int(n) * (index + 1) // len(names) - int(n) * index // len(names) for n in (n_strings, n_lists)]
    for make, n in zip((cases.string, cases.id_list), share):
        for _ in range(n):
            print(json.dumps(make(), separators=(",", ":")))

"""Prints the logits of llama.cpp for a GGUF file: little-endian float32 [ids, vocab] as base64.

    python llama_logits.py FILE ID...
"""

import base64
import sys

import numpy as np
from llama_cpp import Llama

path, ids = sys.argv[1], [int(word) for word in sys.argv[2:]]
model = Llama(path, n_ctx=256, logits_all=True, verbose=False, n_threads=2)
model.eval(ids)
logits = np.asarray(model.scores, dtype="<f4")[: len(ids)]
print(base64.b64encode(logits.tobytes()).decode())

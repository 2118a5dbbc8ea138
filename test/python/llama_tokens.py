"""Prints the ids that llama.cpp makes of texts, special tokens recognised: a list for each.

    python llama_tokens.py FILE < ["text", ...]
"""

import json
import sys

from llama_cpp import Llama

model = Llama(sys.argv[1], vocab_only=True, verbose=False)
texts = json.load(sys.stdin)
print(json.dumps([model.tokenize(text.encode(), add_bos=False, special=True) for text in texts]))

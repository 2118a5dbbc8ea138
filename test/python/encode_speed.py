"""Times sentencepiece's Python binding, for scripts/encode_speed.mjs.

    python encode_speed.py SPIECE.MODEL TEXT < "whole" or "lines", one a line

Answers each with {"seconds", "ids"}: the time to encode the text to ids as one string, or line by line, and their number.
"""

import json
import sys
import time

import sentencepiece

processor = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1])
with open(sys.argv[2], encoding="utf-8", newline="") as file:
    text = file.read()
lines = text.split("\n")
for how in sys.stdin:
    start = time.perf_counter()
    n = len(processor.encode(text)) if how.strip() == "whole" else sum(len(processor.encode(line)) for line in lines)
    print(json.dumps({"seconds": time.perf_counter() - start, "ids": n}), flush=True)

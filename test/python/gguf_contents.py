"""Prints what gguf-py reads from a GGUF file as JSON: {"keys": {name: value}, "tensors": {name: [type, shape]}}.
Long arrays are given by their length.

    python gguf_contents.py FILE
"""

import json
import sys

from gguf import GGUFReader

reader = GGUFReader(sys.argv[1])
keys = {}
for name, field in reader.fields.items():
    value = field.contents()
    keys[name] = {"length": len(value)} if isinstance(value, list) and len(value) > 8 else value
tensors = {t.name: [t.tensor_type.name, [int(n) for n in t.shape]] for t in reader.tensors}
print(json.dumps({"keys": keys, "tensors": tensors}, ensure_ascii=False))

"""Random checkpoints of torch.save and what torch.load(weights_only=True) makes of them. Needs torch and safetensors.

    torch_pairs.py DIRECTORY COUNT SEED

writes COUNT state dicts as <n>.bin, each beside <n>.safetensors with its tensors, and COUNT damaged copies as
<n>.mutant.bin, each beside <n>.mutant.safetensors unless torch refuses it. The names of tensors whose elements do not lie
one after the other begin with "view.". Prints how many damaged copies torch reads.
"""

import io
import random
import struct
import sys
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8,
          torch.uint8, torch.bool]
WORDS = ["gpt_neox", "layers", "0", "attention", "weight", "bias", "\u91cd\u307f", "a" * 300, "query key", "x/y"]


def main(folder: Path, count: int, seed: int) -> None:
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    warnings.filterwarnings("ignore")  # of damaged copies
    n_read = 0
    for n in range(count):
        path = folder / f"{n}.bin"
        torch.save(wrapped(state_dict(rng, generator), rng), path, _use_new_zipfile_serialization=rng.random() < 0.6)
        save_tensors(path)
        mutant = folder / f"{n}.mutant.bin"
        mutant.write_bytes(damaged(path.read_bytes(), rng))
        try:
            save_tensors(mutant)
            n_read += 1
        except Exception:  # whatever torch and pickle raise
            pass
    print(n_read)


def state_dict(rng: random.Random, generator: torch.Generator) -> dict:
    tensors = OrderedDict() if rng.random() < 0.7 else {}
    for i in range(rng.randint(1, 12)):
        tensor = random_tensor(rng, generator)
        for name, value in [(f"{rng.choice(WORDS)}.{i}", tensor), *views(tensor, i, rng)]:
            if rng.random() < 0.2 and value.is_floating_point():
                value = torch.nn.Parameter(value, requires_grad=rng.random() < 0.5)
            tensors[name if value.is_contiguous() else f"view.{name}"] = value
    return tensors


def random_tensor(rng: random.Random, generator: torch.Generator) -> torch.Tensor:
    shape = [rng.choice([0, 1, 2, 3, 5, 8]) for _ in range(rng.randint(0, 4))]
    if len(shape) == 1 and rng.random() < 0.2:
        shape = [300]
    values = torch.randn(shape, generator=generator) * 100
    return values.to(rng.choice(DTYPES))


def views(tensor: torch.Tensor, i: int, rng: random.Random):
    """Other tensors over the same storage."""
    if rng.random() < 0.2:
        yield f"tied.{i}", tensor
    if tensor.dim() > 0 and rng.random() < 0.5:
        yield f"slice.{i}", tensor[tensor.shape[0] // 2 :]
        yield f"step.{i}", tensor[::2]
    if tensor.dim() > 1 and rng.random() < 0.5:
        yield f"transposed.{i}", tensor.transpose(0, 1)
    if rng.random() < 0.1:
        yield f"expanded.{i}", tensor.expand(3, *tensor.shape)


def wrapped(tensors: dict, rng: random.Random) -> dict:
    if rng.random() < 0.15:
        extra = {"epoch": rng.randint(-(2**40), 2**40), "lr": [rng.random(), (1, None, True)], "shape": torch.Size([2, 3])}
        return extra | {rng.choice(["state_dict", "model"]): tensors}
    if rng.random() < 0.2:
        tensors["version"] = rng.choice([1, 0.5, "text", None, {"a": [1]}, torch.float16])
    return tensors


def damaged(data: bytes, rng: random.Random) -> bytes:
    """One to three bytes changed, most of them where the pickle is."""
    out = bytearray(data)
    unread = notes(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(min(len(out), 2000) if rng.random() < 0.8 else len(out))
        if not any(at in place for place in unread):
            out[at] = rng.randrange(256) if rng.random() < 0.5 else out[at] ^ (1 << rng.randrange(8))
    return bytes(out)


def notes(data: bytes) -> list[range]:
    """Where a zip archive has what tells nothing about the tensors, which torch reads and a reader need not."""
    if not data.startswith(b"PK"):
        return []
    places = []
    for entry in zipfile.ZipFile(io.BytesIO(data)).infolist():
        name = entry.filename.split("/", 1)[1]
        if name != "data.pkl" and not name.startswith("data/"):
            header = data[entry.header_offset :][:30]
            data_at = entry.header_offset + 30 + sum(struct.unpack("<2H", header[26:]))
            places.append(range(entry.header_offset, data_at + entry.file_size))
    return places


def save_tensors(path: Path) -> None:
    loaded = torch.load(path, weights_only=True)
    if not any(map(torch.is_tensor, loaded.values())):
        loaded = next(loaded[key] for key in ("state_dict", "model") if key in loaded)
    tensors = {name: copy(value.detach()) for name, value in loaded.items() if torch.is_tensor(value)}
    save_file(tensors, path.with_suffix(".safetensors"))


def copy(tensor: torch.Tensor) -> torch.Tensor:
    """The elements one after the other, byte for byte: a copy of booleans would make each of them 0 or 1."""
    same_bytes = tensor.view(torch.uint8) if tensor.dtype == torch.bool else tensor
    return same_bytes.clone(memory_format=torch.contiguous_format).view(tensor.dtype)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

#!/usr/bin/env python3
"""Generates test/fixtures with the reference implementation: transformers 4.57.6 and sentencepiece 0.2.1 on the CPU.

    pip install torch==2.13.0 transformers==4.57.6 sentencepiece==0.2.1 safetensors==0.8.0 numpy==2.4.6 gguf==0.19.0 \\
        protobuf==7.36.2
    python scripts/make_fixtures.py [--demo-checkpoint DIR]            writes the files
    python scripts/make_fixtures.py --check [--demo-checkpoint DIR]    compares them with what is committed

`npm test` reads the committed files only; torch is never installed for it. test/fixtures/README.md says what each file
holds. --demo-checkpoint names the directory with the spiece.model and tokenizer_config.json of the demo model; without
it the tokenizer fixtures are skipped.
"""

import argparse
import importlib.metadata
import os
import sys
import tempfile
from pathlib import Path

PINNED = {
    "torch": "2.13.0",
    "transformers": "4.57.6",
    "sentencepiece": "0.2.1",
    "safetensors": "0.8.0",
    "numpy": "2.4.6",
    "gguf": "0.19.0",
    "protobuf": "7.36.2",
}
FIXTURES = Path(__file__).resolve().parent.parent / "test" / "fixtures"


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate or check the golden files of test/fixtures.")
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    parser.add_argument("--demo-checkpoint", type=Path, metavar="DIR", help="spiece.model + tokenizer_config.json")
    options = parser.parse_args()
    check_versions()

    if not options.check:
        generate(FIXTURES, options.demo_checkpoint)
        return 0
    with tempfile.TemporaryDirectory() as directory:
        generate(Path(directory), options.demo_checkpoint)
        from fixtures.compare import compare_trees

        problems = compare_trees(FIXTURES, Path(directory))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(problems)} differences" if problems else "test/fixtures is what the reference computes")
    return 1 if problems else 0


def check_versions() -> None:
    """The golden values are those of exact releases; another one may tokenize or compute differently."""
    wrong = []
    for package, wanted in PINNED.items():
        try:
            found = importlib.metadata.version(package).split("+")[0]  # torch says 2.13.0+cpu
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found != wanted:
            wrong.append(f"{package} {wanted} is needed, {found} is installed")
    if wrong:
        pins = " ".join(f"{package}=={version}" for package, version in PINNED.items())
        raise SystemExit("\n".join(wrong) + f"\nInstall them with: pip install {pins}")


def generate(out: Path, demo_checkpoint: Path | None) -> None:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    import transformers

    torch.manual_seed(0)
    torch.set_num_threads(1)  # one order of summation
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

    from fixtures import bpe, cards, checkpoints, generation, hostile, importance, mixed, quants, sampler, spiece
    from fixtures import texts, tokenizer, torch_files

    bpe.generate(out)
    hostile.generate(out)
    checkpoints.generate(out)
    texts.generate(out)
    generation.generate(out)
    mixed.generate(out)
    importance.generate(out)
    quants.generate(out)
    sampler.generate(out)
    torch_files.generate(out)
    spiece.generate(out)
    if demo_checkpoint is None or not (demo_checkpoint / "spiece.model").is_file():
        print(f"tokenizer fixtures skipped: no spiece.model in --demo-checkpoint {demo_checkpoint}", file=sys.stderr)
    else:
        tokenizer.generate(out, demo_checkpoint)
        cards.generate(out, demo_checkpoint)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Prints the demo model's corpus, or checks a question list against it. Standard library only.

    python3 scripts/demo_corpus.py --count 5                                  # five dialogues
    python3 scripts/demo_corpus.py --check test/fixtures/demo_questions.json  # no unseen question occurs in it
"""

import argparse
import json
import sys

from demo_corpus import CORPUS_COUNT, CORPUS_SEED, dialogues, render


def check(path):
    """Names every question marked unseen whose text occurs anywhere in the corpus; 1 if there is one."""
    with open(path, encoding="utf-8") as file:
        questions = [q["question"] for q in json.load(file)["questions"] if q["unseen"]]
    if not questions:
        print(f"{path}: no question is marked unseen", file=sys.stderr)
        return 1
    corpus = "\n\n".join(render(turns) for turns in dialogues(CORPUS_COUNT, CORPUS_SEED))
    seen = [question for question in questions if question in corpus]
    for question in seen:
        print(f"occurs in the corpus: {question}", file=sys.stderr)
    print(f"{len(questions) - len(seen)} of {len(questions)} unseen questions are absent from {CORPUS_COUNT} dialogues")
    return 1 if seen else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", metavar="QUESTIONS.json", help="fail if a question marked unseen occurs in the corpus")
    parser.add_argument("--count", type=int, default=20, help="dialogues to print (default 20)")
    parser.add_argument("--seed", type=int, default=CORPUS_SEED)
    args = parser.parse_args()
    if args.check:
        return check(args.check)
    for turns in dialogues(args.count, args.seed):
        print(render(turns), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The generated bilingual dialogues that the demo model is trained on (standard library only)."""

from .arithmetic import HELD_OUT, MAX_OPERAND
from .dialogues import dialogues, render

# The corpus that the shipped model was trained on.
CORPUS_SEED = 20
CORPUS_COUNT = 100_000

__all__ = ["CORPUS_COUNT", "CORPUS_SEED", "HELD_OUT", "MAX_OPERAND", "dialogues", "render"]

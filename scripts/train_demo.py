#!/usr/bin/env python3
"""Trains the demo model on the generated corpus: a sentencepiece tokenizer and a small GPT-NeoX, in rinna's layout.

    pip install torch==2.13.0 transformers==4.57.6 sentencepiece==0.2.1 safetensors
    python3 scripts/train_demo.py --out build-demo                # about half an hour on two cores
    python3 scripts/train_demo.py --out build-demo --evaluate     # only measure what is there

The result is a Hugging Face directory, which `neox convert` and `neox quantize` turn into the shipped file.
"""

import argparse
import io
import json
import math
import os
import random
import re
import time

# Threads that wait at a barrier sleep: with spinning, a busy machine takes twice the time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import sentencepiece
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from demo_corpus import CORPUS_COUNT, CORPUS_SEED, HELD_OUT, MAX_OPERAND, dialogues, render
from demo_corpus.dialogues import SYSTEM, USER
from demo_corpus.sentences import COPY_CHARACTERS

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SEED = CORPUS_SEED
TOKENIZER_DIALOGUES = 40_000
VOCABULARY = 2_500
LAYERS = 4
BATCH_TOKENS = 4_096
MATRIX_RATE, OTHER_RATE, WARMUP_STEPS = 4e-3, 2e-3, 60
MAX_TOKENS = 448
NO_TARGET = -100
QUESTIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "fixtures", "demo_questions.json")

TOKENIZER_CONFIG = {
    "eos_token": "</s>", "unk_token": "[UNK]", "pad_token": "[PAD]", "extra_ids": 0, "additional_special_tokens": [],
    "sp_model_kwargs": {}, "bos_token": "<s>", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
    "do_lower_case": False, "tokenizer_class": "T5Tokenizer",
}


def tokenizer_lines(corpus):
    """The corpus cut where no piece may reach across: at quotation marks and colons, so that a quoted text is split as
    the same text alone, and between hiragana and anything else, so that pieces are words and not whole phrases. The
    trainer proposes only strings that are seen before two different characters, hence the varied punctuation."""
    rng = random.Random(SEED)
    for turns in corpus:
        for part in re.findall(r"[\u3041-\u309f]+|[「」\":：]|[^\u3041-\u309f「」\":：\n]+", render(turns)):
            yield part + rng.choice(["", "。", "."])


def train_tokenizer(out, corpus):
    """A unigram model with rinna's flags; digits are pieces of their own, so that sums can be learnt."""
    sentencepiece.set_random_generator_seed(SEED)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=tokenizer_lines(corpus[:TOKENIZER_DIALOGUES]), model_writer=model, model_type="unigram", vocab_size=VOCABULARY,
        character_coverage=0.9995, required_chars=COPY_CHARACTERS, byte_fallback=True, split_digits=True,
        add_dummy_prefix=False, remove_extra_whitespaces=False, normalization_rule_name="identity",
        pad_id=PAD, pad_piece="[PAD]", unk_id=UNK, unk_piece="[UNK]", bos_id=BOS, bos_piece="<s>", eos_id=EOS, eos_piece="</s>",
        control_symbols=["[CLS]", "[SEP]", "[MASK]"], user_defined_symbols=["\n", "\u2581"],
        max_sentencepiece_length=8, num_threads=2, minloglevel=2)
    with open(os.path.join(out, "spiece.model"), "wb") as file:
        file.write(model.getvalue())
    with open(os.path.join(out, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump(TOKENIZER_CONFIG, file, indent=2)
        file.write("\n")
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def encode_dialogue(tokenizer, turns):
    """(ids, targets): targets[i] is what position i is to predict. Only answers have targets, and each answer ends in
    eos for the loss while the ids go on with the newline of the next turn, as in a chat."""
    ids, targets = [], []
    for question, answer in turns:
        prompt = tokenizer.encode(("\n" if ids else "") + USER + question + "\n" + SYSTEM)
        reply = tokenizer.encode(answer)
        ids += prompt + reply
        targets += [NO_TARGET] * (len(prompt) - 1) + reply + [EOS]
    return ids, targets


def batches(samples, rng):
    """Batches of about BATCH_TOKENS tokens, of samples of like length, in random order."""
    order = list(range(len(samples)))
    rng.shuffle(order)
    result = []
    for start in range(0, len(order), 4_096):
        window = sorted(order[start:start + 4_096], key=lambda i: len(samples[i][0]))
        batch, made = [], []
        for i in window:
            if batch and len(samples[i][0]) * (len(batch) + 1) > BATCH_TOKENS:
                made.append(batch)
                batch = []
            batch.append(i)
        made.append(batch)
        rng.shuffle(made)
        result += made
    return result


def collate(samples, batch):
    """Right-padded ids and targets; the causal mask alone keeps padding out of every row that has a target."""
    width = max(len(samples[i][0]) for i in batch)
    ids = torch.full((len(batch), width), PAD, dtype=torch.long)
    targets = torch.full((len(batch), width), NO_TARGET, dtype=torch.long)
    for row, i in enumerate(batch):
        ids[row, :len(samples[i][0])] = torch.tensor(samples[i][0])
        targets[row, :len(samples[i][1])] = torch.tensor(samples[i][1])
    return ids, targets


def new_model(vocabulary):
    config = GPTNeoXConfig(
        vocab_size=vocabulary, hidden_size=256, intermediate_size=1024, num_attention_heads=4, num_hidden_layers=LAYERS,
        use_parallel_residual=False, rotary_pct=1.0, rotary_emb_base=10000, hidden_act="gelu", tie_word_embeddings=False,
        max_position_embeddings=1024, bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, layer_norm_eps=1e-5,
        attention_dropout=0.0, hidden_dropout=0.0)
    return GPTNeoXForCausalLM(config)


def rate_factor(step, steps):
    """Linear warm-up, then half a cosine down to one percent."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    done = (step - WARMUP_STEPS) / max(1, steps - WARMUP_STEPS)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal by five Newton-Schulz iterations (Jordan et al., 2024), for matrices only.
    As torch.optim.Muon with adjust_lr_fn "match_rms_adamw", which takes five times as long on a CPU."""

    def __init__(self, parameters, lr, momentum=0.95, weight_decay=0.05):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(state["momentum"], group["momentum"])
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(self.orthogonal(update), alpha=-group["lr"] * 0.2 * math.sqrt(max(p.shape)))

    @staticmethod
    def orthogonal(update):
        tall = update.shape[0] > update.shape[1]
        x = (update.T if tall else update).to(torch.bfloat16).contiguous()
        x = x / (x.norm() + 1e-7)
        for _ in range(5):
            square = x @ x.T
            x = 3.4445 * x + (-4.7750 * square + 2.0315 * (square @ square)) @ x
        return (x.T if tall else x).float()


def new_optimizers(model):
    """Muon for the matrices of the layers, AdamW for embeddings, head, norms and biases."""
    matrices = [p for p in model.gpt_neox.layers.parameters() if p.dim() == 2]
    known = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in known]
    return [Muon(matrices, MATRIX_RATE), torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)]


def train(model, samples, rng, log, out):
    """One pass over the samples, saved after each quarter; returns the mean loss of the last hundred steps."""
    plan = batches(samples, rng)
    optimizers = new_optimizers(model)
    peaks = (MATRIX_RATE, OTHER_RATE)
    started, tokens, recent = time.time(), 0, []
    every = max(1, len(plan) // 24)
    model.train()
    for step, batch in enumerate(plan):
        ids, targets = collate(samples, batch)
        wanted = (targets.reshape(-1) != NO_TARGET).nonzero()[:, 0]
        for optimizer, peak in zip(optimizers, peaks):
            for group in optimizer.param_groups:
                group["lr"] = peak * rate_factor(step, len(plan))
        # Half of the time of fp32 on a CPU with bf16 instructions; weights and optimizer stay fp32.
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model.gpt_neox(input_ids=ids, use_cache=False).last_hidden_state
            scores = model.embed_out(hidden.reshape(-1, hidden.shape[-1])[wanted])
        loss = torch.nn.functional.cross_entropy(scores.float(), targets.reshape(-1)[wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        tokens += ids.numel()
        recent = recent[-99:] + [loss.item()]
        if step % every == every - 1 or step + 1 == len(plan):
            seconds = time.time() - started
            log(f"step {step + 1:5d} of {len(plan)}  loss {sum(recent) / len(recent):.4f}"
                f"  {tokens / 1e6:5.2f} M tokens  {tokens / seconds:6.0f} tokens/s  {seconds / 60:5.1f} min")
        if (step + 1) % math.ceil(len(plan) / 4) == 0:
            model.save_pretrained(out, safe_serialization=True)
    model.eval()
    return sum(recent) / len(recent)


def make(out, count, log):
    """Corpus, tokenizer and model, all from SEED; everything is written to `out`."""
    torch.manual_seed(SEED)
    corpus = list(dialogues(count, SEED))
    tokenizer = train_tokenizer(out, corpus)
    samples = [s for s in (encode_dialogue(tokenizer, turns) for turns in corpus) if len(s[0]) <= MAX_TOKENS]
    tokens = sum(len(s[0]) for s in samples)
    log(f"{len(samples)} dialogues, {tokens} tokens, vocabulary {tokenizer.get_piece_size()}, torch {torch.__version__}, seed {SEED}")
    model = new_model(tokenizer.get_piece_size())
    model.generation_config.update(do_sample=False, max_new_tokens=128)
    log(f"{sum(p.numel() for p in model.parameters())} parameters")
    loss = train(model, samples, random.Random(SEED), log, out)
    log(f"final loss {loss:.4f} (mean of the last 100 steps, answers only)")
    model.save_pretrained(out, safe_serialization=True)


@torch.inference_mode()
def answer(model, tokenizer, prompt, limit=64):
    """The greedy answer to a prompt that ends in `システム: `."""
    ids, cache, new = tokenizer.encode(prompt), None, []
    step = torch.tensor([ids])
    while len(new) < limit:
        out = model(input_ids=step, past_key_values=cache, use_cache=True)
        cache, best = out.past_key_values, int(out.logits[0, -1].argmax())
        if best == EOS:
            break
        new.append(best)
        step = torch.tensor([[best]])
    return tokenizer.decode(new)


@torch.inference_mode()
def round_to_q8_0(model):
    """Rounds every matrix to what the shipped Q8_0 file can hold: blocks of 32 weights of a row, an f16 scale each."""
    for parameter in model.parameters():
        if parameter.dim() == 2:
            blocks = parameter.data.reshape(-1, 32)
            scale = blocks.abs().amax(1, keepdim=True) / 127
            steps = torch.where(scale > 0, torch.round(blocks / scale), 0.0)
            parameter.data = (steps * scale.half().float()).reshape(parameter.shape)


def sum_accuracy(model, tokenizer, held_out):
    """(right, all) over every ordered operand pair of one kind, asked once in each language."""
    right = total = 0
    for a in range(MAX_OPERAND + 1):
        for b in range(MAX_OPERAND + 1):
            if (frozenset((a, b)) in HELD_OUT) != held_out:
                continue
            for question, wanted in ((f"{a}+{b}は？", f"{a}+{b}は{a + b}です"), (f"What is {a} + {b}?", f"{a} + {b} is {a + b}.")):
                said = answer(model, tokenizer, f"{USER}{question}\n{SYSTEM}", 16)
                right += wanted in said
                total += 1
    return right, total


def evaluate(out, log):
    """Measures the saved model as it is shipped, with weights rounded to Q8_0, and logs the counts."""
    tokenizer = sentencepiece.SentencePieceProcessor(os.path.join(out, "spiece.model"))
    model = GPTNeoXForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    round_to_q8_0(model)
    for name, held_out in (("in the corpus", False), ("held out", True)):
        right, total = sum_accuracy(model, tokenizer, held_out)
        log(f"sums of operand pairs {name}: {right} of {total} right")
    with open(QUESTIONS, encoding="utf-8") as file:
        listed = json.load(file)
    for name, unseen in (("in the corpus", False), ("absent from the corpus", True)):
        asked = [q for q in listed["questions"] if q["unseen"] == unseen]
        right = 0
        for entry in asked:
            said = answer(model, tokenizer, f"{USER}{entry['question']}\n{SYSTEM}")
            good = all(text in said for text in entry["accept"])
            right += good
            if not good:
                log(f"wrong: {entry['question']} -> {said}")
        log(f"listed questions {name}: {right} of {len(asked)} answered")
    prompt, right = "", 0
    for turn in listed["chat"]:
        prompt += ("\n" if prompt else "") + f"{USER}{turn['user']}\n{SYSTEM}"
        said = answer(model, tokenizer, prompt)
        right += all(text in said for text in turn["accept"])
        prompt += said
    log(f"turns of the listed chat: {right} of {len(listed['chat'])} answered")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="build-demo", help="directory to write (default build-demo)")
    parser.add_argument("--dialogues", type=int, default=CORPUS_COUNT, help=f"size of the corpus (default {CORPUS_COUNT})")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--evaluate", action="store_true", help="train nothing, measure the model in --out")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.evaluate:
        evaluate(args.out, print)
        return
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "train.log"), "w", encoding="utf-8") as file:
        def log(line):
            print(line, flush=True)
            file.write(line + "\n")
            file.flush()

        make(args.out, args.dialogues, log)
        evaluate(args.out, log)


if __name__ == "__main__":
    main()

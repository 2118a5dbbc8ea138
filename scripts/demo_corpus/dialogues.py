"""Puts turns together into dialogues of one to four turns, in the form that rinna's bilingual models use."""

import random

from . import sentences
from .arithmetic import difference_turn, draw_pair, next_turn, sum_turn
from .facts import FACTS, RELATIONS
from .phrasing import ask_en, ask_ja, vary
from .smalltalk import smalltalk_turn
from .words import LIKES, NAMES_EN, NAMES_JA, TRANSLATIONS

USER, SYSTEM = "ユーザー: ", "システム: "

_JA_FOLLOW = ["では、{x}は？", "じゃあ、{x}は？", "{x}は？", "では{x}は？", "では、{x}はどうですか？", "それでは{x}は？", "じゃあ{x}は？", "{x}はどう？",
              "{x}の場合は？", "次は{x}です。", "{x}だとどうですか？"]
_EN_FOLLOW = ["What about {x}?", "And {x}?", "How about {x}?", "what about {x}?", "and {x}?", "And what about {x}?", "Now {x}.",
              "What about {x}"]

_JA_TO_EN = ["「{j}」を英語で言うと？", "「{j}」は英語で何と言いますか？", "「{j}」を英語にしてください。", "「{j}」は英語で何ですか？",
             "{j}を英語で言うと？", "{j}は英語で何と言いますか？", "{j}を英語に訳してください。", "「{j}」を英語に翻訳してください。",
             "英語で「{j}」は何と言う？", "「{j}」の英語は？", "英語で{j}は？", "次の言葉を英語に訳してください：{j}", "{j}って英語で何？",
             "日本語の「{j}」を英語で教えてください。", "翻訳して：{j}", "「{j}」を英語で"]
_JA_FROM_EN = ["「{e}」を日本語で言うと？", "「{e}」は日本語で何と言いますか？", "「{e}」を日本語にしてください。", "「{e}」は日本語で何ですか？",
               "{e}の意味は？", "「{e}」の意味は何ですか？", "{e}を日本語に訳してください。", "「{e}」を日本語に翻訳してください。",
               "英語の「{e}」はどういう意味ですか？", "次の言葉を日本語に訳してください：{e}", "{e}って日本語で何？", "{e}は日本語で何？",
               "{e}とはどういう意味ですか？"]
_EN_TO_JA = ["What is \"{e}\" in Japanese?", "How do you say \"{e}\" in Japanese?", "Translate \"{e}\" into Japanese.", "What is {e} in Japanese?",
             "How do you say {e} in Japanese?", "Please translate {e} into Japanese.", "Translate into Japanese: {e}", "{e} in Japanese?",
             "What's the Japanese word for {e}?", "What is the Japanese word for \"{e}\"?", "Translate {e} to Japanese.", "Say {e} in Japanese.",
             "Can you translate \"{e}\" into Japanese?"]
_EN_FROM_JA = ["What does 「{j}」 mean?", "What does {j} mean in English?", "What does \"{j}\" mean?", "What is {j} in English?",
               "Translate {j} into English.", "Translate into English: {j}", "Please translate \"{j}\" into English.",
               "What is the English word for {j}?", "How do you say {j} in English?", "What's {j} in English?", "{j} in English?",
               "What is the meaning of {j}?", "Can you translate {j} to English?"]

_JA_REPEAT = ["次の文を繰り返してください：{s}", "次の文を繰り返してください。\n{s}", "「{s}」と言ってください。", "「{s}」を繰り返してください。",
              "繰り返して：{s}", "次の言葉をそのまま言ってください：{s}", "次の文章をそのまま書いてください。\n{s}", "私の後に続けて言ってください：{s}",
              "同じ文を書いてください：{s}", "復唱してください：{s}", "「{s}」と繰り返して。", "「{s}」と書いてください。", "そのまま返してください：{s}",
              "次の文を写してください。「{s}」", "次をコピーしてください：{s}", "「{s}」と言って"]
_EN_REPEAT = ["Repeat after me: {s}", "Please repeat: {s}", "Say \"{s}\"", "Repeat the following sentence: {s}", "Repeat this: {s}",
              "Please say \"{s}\"", "Copy this text: {s}", "Write the same sentence: {s}", "Repeat the next text.\n{s}", "Say: {s}",
              "Please copy the following text exactly.\n{s}", "repeat after me: {s}", "Echo: {s}", "Can you repeat \"{s}\"?",
              "Write \"{s}\"", "Can you say \"{s}\"?"]
_JA_CORRECT = ["次の文を直してください：{s}", "次の文の間違いを直してください：{s}", "次の文を訂正してください。\n{s}", "「{s}」を直してください。",
               "この文を直して：{s}", "次の文章の誤りを直してください。\n{s}", "文を修正してください：{s}", "「{s}」を正しく書いてください。",
               "正しい文に直してください：{s}", "この文の誤りを訂正してください：{s}", "校正してください：{s}", "次の文章を正しく書き直してください。\n{s}"]
_EN_CORRECT = ["Correct this sentence: {s}", "Please correct: {s}", "Fix the mistake: {s}", "Please fix this sentence: {s}",
               "Correct the following text.\n{s}", "Correct: {s}", "Fix this: {s}", "Please correct the sentence \"{s}\"",
               "Rewrite this correctly: {s}", "Proofread this: {s}", "Please correct the following text.\n{s}", "Correct \"{s}\""]


def _relation_turn(rng, japanese, relation=None, row=None, follow=False):
    relation = relation or rng.choice(RELATIONS)
    row = row or rng.choice(relation.rows)
    ja_x, ja_y, en_x, en_y = row
    back = not follow and relation.ja_back and rng.random() < 0.15
    if japanese:
        names = {"x": ja_x, "y": ja_y}
        if follow:
            return rng.choice(_JA_FOLLOW).format(x=relation.ja_follow.format(**names)), relation.ja_answer.format(**names)
        if back:
            return rng.choice(relation.ja_back).format(**names), relation.ja_back_answer.format(**names)
        if relation.ja_extra and rng.random() < 0.4:
            return rng.choice(relation.ja_extra).format(**names), relation.ja_answer.format(**names)
        return ask_ja(rng, rng.choice(relation.ja).format(**names), relation.ja_wh), relation.ja_answer.format(**names)
    names = {"x": en_x, "y": en_y}
    answer = relation.en_answer.format(**names)
    if follow:
        question = rng.choice(_EN_FOLLOW).format(x=relation.en_follow.format(**names))
    elif back:
        question, answer = rng.choice(relation.en_back).format(**names), relation.en_back_answer.format(**names)
    elif relation.en_extra and rng.random() < 0.5:
        question = rng.choice(relation.en_extra).format(**names)
    else:
        question = ask_en(rng, rng.choice(relation.en).format(**names), relation.en_wh)
    for vowel in "aeiou":
        question, answer = question.replace(f" a {vowel}", f" an {vowel}"), answer.replace(f" a {vowel}", f" an {vowel}")
    if answer.startswith("A ") and answer[2] in "aeiou":
        answer = "An " + answer[2:]
    return question, answer[0].upper() + answer[1:]


def _fact_turn(rng, japanese):
    fact = rng.choice(FACTS)
    if japanese:
        if fact.ja_extra and rng.random() < 0.35:
            return rng.choice(fact.ja_extra), fact.ja_answer
        return ask_ja(rng, rng.choice(fact.ja), fact.ja_wh), fact.ja_answer
    if fact.en_extra and rng.random() < 0.45:
        return rng.choice(fact.en_extra), fact.en_answer
    return ask_en(rng, rng.choice(fact.en), fact.en_wh), fact.en_answer


def _translation_turn(rng, japanese, to_english=None, pair=None, follow=False):
    j, e = pair or rng.choice(TRANSLATIONS)
    if to_english is None:
        to_english = rng.random() < 0.5
    if japanese:
        forms = _JA_TO_EN if to_english else _JA_FROM_EN
        answer = f"「{j}」は英語で「{e}」です。" if to_english else f"「{e}」は日本語で「{j}」です。"
    else:
        forms = _EN_FROM_JA if to_english else _EN_TO_JA
        answer = f"「{j}」 is \"{e}\" in English." if to_english else f"\"{e}\" is 「{j}」 in Japanese."
    form = rng.choice(_JA_FOLLOW + ["「{x}」は？"] if japanese else _EN_FOLLOW) if follow else rng.choice(forms)
    word = j if to_english else e
    shown = e.lower() if not to_english and rng.random() < 0.3 else e
    return form.format(j=j, e=shown, x=f"「{word}」" if follow and rng.random() < 0.5 and "「" not in form else word), answer


def _repeat_turn(rng, japanese):
    roll = rng.random()
    if roll < 0.4:
        said = sentences.odd_text(rng, japanese)
    elif roll < 0.75:
        said = sentences.sentence(rng, japanese)
        if rng.random() < 0.3:
            said = said[:-1]
    else:
        said = sentences.text(rng, japanese, rng.randint(2, 5))
    asked_in_japanese = japanese if rng.random() < 0.85 else not japanese
    return rng.choice(_JA_REPEAT if asked_in_japanese else _EN_REPEAT).format(s=said), said


def _correct_turn(rng, japanese):
    faulty, good = sentences.corrupted(rng, japanese, 1 if rng.random() < 0.7 else rng.randint(2, 4))
    return rng.choice(_JA_CORRECT if japanese else _EN_CORRECT).format(s=faulty), good


def _plain_turn(rng, japanese):
    """One turn that needs no earlier one."""
    roll = rng.random()
    if roll < 0.12:
        question, answer = smalltalk_turn(rng, japanese)
    elif roll < 0.31:
        question, answer = _relation_turn(rng, japanese)
    elif roll < 0.43:
        question, answer = _fact_turn(rng, japanese)
    elif roll < 0.59:
        question, answer = sum_turn(rng, japanese)
    elif roll < 0.64:
        question, answer = difference_turn(rng, japanese)
    elif roll < 0.66:
        question, answer = next_turn(rng, japanese)
    elif roll < 0.78:
        question, answer = _translation_turn(rng, japanese)
    elif roll < 0.91:
        return _repeat_turn(rng, japanese)
    else:
        return _correct_turn(rng, japanese)
    return vary(rng, question, japanese), answer


def _follow_dialogue(rng, japanese):
    """A question and one or two follow-ups that name only the new subject."""
    kind = rng.random()
    count = rng.choice([1, 1, 2])
    if kind < 0.6:
        relation = rng.choice(RELATIONS[:1] * 4 + RELATIONS)
        rows = [rng.choice(relation.rows) for _ in range(count + 1)]
        turns = [_relation_turn(rng, japanese, relation, rows[0])]
        turns += [_relation_turn(rng, japanese, relation, row, follow=True) for row in rows[1:]]
    elif kind < 0.85:
        to_english = rng.random() < 0.5
        turns = [_translation_turn(rng, japanese, to_english)]
        turns += [_translation_turn(rng, japanese, to_english, follow=True) for _ in range(count)]
    else:
        turns = [sum_turn(rng, japanese)]
        for _ in range(count):
            a, b = draw_pair(rng)
            form = rng.choice(_JA_FOLLOW if japanese else _EN_FOLLOW)
            answer = f"{a}+{b}は{a + b}です。" if japanese else f"{a} + {b} is {a + b}."
            turns.append((form.format(x=f"{a}+{b}" if japanese else f"{a} + {b}"), answer))
    return turns


def _memory_dialogue(rng, japanese):
    """The user tells a name or a liking in the first turn and asks for it later."""
    column = 0 if japanese else 1
    if rng.random() < 0.7:
        if rng.random() < 0.25:
            name = sentences.odd_text(rng, japanese).split("、")[0].split(" ")[0].strip(",") or "Ken"
        else:
            name = rng.choice(NAMES_JA if japanese else NAMES_EN)
        if japanese:
            tell = rng.choice(["私の名前は{n}です。", "私は{n}です。", "僕は{n}です。", "{n}と申します。", "{n}といいます。", "こんにちは、{n}です。",
                               "はじめまして、{n}と申します。", "私の名前は{n}です。よろしくお願いします。", "こんにちは。私の名前は{n}です。",
                               "僕の名前は{n}。", "名前は{n}です。", "はじめまして。{n}です。"])
            reply = "{n}さん、はじめまして！よろしくお願いします。"
            ask = rng.choice(["私の名前は何ですか？", "私の名前は？", "私の名前を覚えていますか？", "私は誰ですか？", "僕の名前は何？", "名前を覚えてる？",
                              "私の名前を言ってください。", "私の名前がわかりますか？", "私は誰でしょう？", "さっき言った私の名前は？"])
            answer = "あなたの名前は{n}さんです。"
        else:
            tell = rng.choice(["My name is {n}.", "I am {n}.", "I'm {n}.", "Hello, my name is {n}.", "Hi, I am {n}.", "Hi, I'm {n}.",
                               "Please call me {n}.", "Hello! My name is {n}.", "my name is {n}"])
            reply = "Nice to meet you, {n}!"
            ask = rng.choice(["What is my name?", "Do you remember my name?", "Who am I?", "What's my name?", "Tell me my name.",
                              "Can you say my name?", "what is my name", "What did I say my name was?"])
            answer = "Your name is {n}."
        first, last = (tell.format(n=name), reply.format(n=name)), (ask, answer.format(n=name))
    else:
        thing = rng.choice(LIKES)[column]
        if japanese:
            first = (rng.choice(["私は{t}が好きです。", "{t}が好きです。", "僕は{t}が大好きです。", "好きなものは{t}です。"]).format(t=thing),
                     f"{thing}、いいですね！")
            last = (rng.choice(["私の好きなものは何ですか？", "私は何が好きですか？", "私の好きなものを覚えていますか？", "私が好きなものは？"]),
                    f"あなたの好きなものは{thing}です。")
        else:
            first = (rng.choice(["I like {t}.", "I love {t}.", "I really like {t}."]).format(t=thing), f"I see, you like {thing}!")
            last = (rng.choice(["What do I like?", "Do you remember what I like?", "Tell me what I like.", "What did I say I like?"]),
                    f"You like {thing}.")
    between = [_plain_turn(rng, japanese) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
    return [first, *between, last] if rng.random() < 0.9 else [first, *between]


def dialogue(rng):
    """One dialogue: a list of (question, answer) turns, mostly in one language."""
    japanese = rng.random() < 0.5
    roll = rng.random()
    if roll < 0.13:
        turns = _follow_dialogue(rng, japanese)
        if rng.random() < 0.25:
            turns.insert(0, _plain_turn(rng, japanese))
    elif roll < 0.22:
        turns = _memory_dialogue(rng, japanese)
    else:
        count = rng.choice([1, 1, 1, 1, 1, 2, 2, 3])
        turns = [_plain_turn(rng, japanese if rng.random() < 0.9 else not japanese) for _ in range(count)]
    return turns[:4]


def dialogues(count, seed):
    """`count` dialogues; the same seed gives the same ones on every machine."""
    rng = random.Random(seed)
    for _ in range(count):
        yield dialogue(rng)


def render(turns):
    """The dialogue as one text, turns joined by a newline."""
    return "\n".join(f"{USER}{question}\n{SYSTEM}{answer}" for question, answer in turns)

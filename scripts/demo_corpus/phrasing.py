"""The general ways of asking, shared by all facts, and the small noise of real typing."""

JA_ASK = ["{n}は？", "{n}は？", "{n}は{w}？", "{n}は{w}ですか？", "{n}は{w}ですか？", "{n}は{w}ですか。", "{n}は{w}でしょうか？", "{n}って{w}？",
          "{n}って{w}ですか？", "{n}は{w}なの？", "{n}を教えて", "{n}を教えて。", "{n}を教えてください。", "{n}を教えてくれますか？",
          "{n}について教えてください。", "{n}を知っていますか？", "{n}を知ってる？", "{n}を知りたいです。", "{n}が知りたい。", "{n}、わかる？",
          "{n}はわかりますか？", "{n}を答えてください。", "{n}は一体{w}ですか？", "{n}は{w}だと思いますか？", "{w}ですか、{n}は。",
          "{n}といえば{w}？", "{n}が{w}か教えてください。", "{n}が{w}か知っていますか？", "{n}というのは{w}ですか？", "{n}"]
JA_LEAD = ["すみません、", "ねえ、", "ちょっと聞きたいのですが、", "えっと、", "ところで、", "質問です。", "あの、", "じゃあ、", "クイズです。",
           "質問があります。", "先生、", "お願いします。"]
EN_ASK = ["{q} {n}?", "{q} {n}?", "{q} {n}?", "{Q} {n}?", "{Q} {n}?", "{Q} {n}?", "{Q} {n}?", "Tell me {n}.", "Please tell me {n}.", "Do you know {n}?",
          "Can you tell me {n}?", "Could you tell me {n}?", "I want to know {n}.", "I'd like to know {n}.", "{n}?", "{n}, please.", "{n}",
          "Please answer: {q} {n}?", "Do you know what {n} is?", "Can you tell me what {n} is?", "Could you tell me what {n} is?",
          "I wonder what {n} is.", "Give me {n}."]
EN_LEAD = ["Hey, ", "Excuse me, ", "Hi, ", "Please tell me, ", "Question: ", "Well, ", "By the way, ", "So, ", "Tell me: "]


def ask_ja(rng, noun, question_words):
    return rng.choice(JA_ASK).format(n=noun, w=rng.choice(question_words))


def ask_en(rng, noun, question):
    capital = question[0].upper() + question[1:]
    if question == "what is" and rng.random() < 0.15:
        capital = "What's"
    return rng.choice(EN_ASK).format(n=noun, q=question, Q=capital)


def _lower_start(question):
    return question[0].lower() + question[1:] if question[:2] not in ("I ", "I'") else question


def vary(rng, question, japanese):
    """The question as somebody might type it: a lead-in, another question mark, none, a lower-case start."""
    if japanese:
        if rng.random() < 0.15:
            question = rng.choice(JA_LEAD) + question
        if question.endswith("？") and rng.random() < 0.25:
            question = question[:-1] + rng.choice(["?", "", "。"])
        return question
    if rng.random() < 0.12:
        question = rng.choice(EN_LEAD) + _lower_start(question)
    elif rng.random() < 0.12:
        question = _lower_start(question)
    if question.endswith("?") and rng.random() < 0.12:
        question = question[:-1]
    return question

"""Small sums. Operand pairs of HELD_OUT never occur in the corpus, in either order."""

MAX_OPERAND = 12
HELD_OUT = {frozenset(p) for p in [(1, 6), (2, 5), (2, 9), (4, 9), (3, 8), (4, 7), (5, 8), (6, 9), (7, 10), (8, 12), (9, 11), (5, 10)]}

KANJI_NUMBERS = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"]
ENGLISH_NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]

JA_SUM = ["{a}+{b}は？", "{a}+{b}はいくつですか？", "{a}+{b}=", "{a}足す{b}は？", "{a}足す{b}はいくつですか？", "{a}たす{b}は？",
          "{a}たす{b}はいくつ？", "{a} + {b} は？", "{a} + {b} = ?", "{a}と{b}を足すといくつ？", "{a}と{b}を足すといくつになりますか？",
          "{a}と{b}の合計は？", "{a}に{b}を足すと？", "{a}に{b}を足すといくつですか？", "{a}プラス{b}は？", "{a}+{b}を計算してください。",
          "{a}+{b}の答えを教えてください。", "{a}足す{b}を計算して。", "計算してください：{a}+{b}", "{a}＋{b}は？", "{a}+{b}は何ですか？"]
EN_SUM = ["What is {a} + {b}?", "What is {a} plus {b}?", "{a} + {b} = ?", "{a} + {b}", "{a}+{b}=", "{a} plus {b}?", "How much is {a} plus {b}?",
          "How much is {a} + {b}?", "Add {a} and {b}.", "What's {a} + {b}?", "Calculate {a} + {b}.", "Can you add {a} and {b}?",
          "What do you get if you add {a} and {b}?", "Please compute {a} plus {b}.", "What is the sum of {a} and {b}?",
          "Tell me {a} plus {b}.", "{a} and {b} make how many?"]
JA_DIFFERENCE = ["{a}-{b}は？", "{a}引く{b}は？", "{a}ひく{b}は？", "{a}引く{b}はいくつですか？", "{a}-{b}=", "{a}から{b}を引くと？",
                 "{a}-{b}はいくつですか？", "{a}から{b}を引くといくつになりますか？", "{a}-{b}を計算してください。", "{a}マイナス{b}は？"]
EN_DIFFERENCE = ["What is {a} - {b}?", "What is {a} minus {b}?", "{a} - {b} = ?", "{a} minus {b}?", "How much is {a} minus {b}?",
                 "Subtract {b} from {a}.", "What's {a} - {b}?", "{a}-{b}=", "Calculate {a} - {b}.", "Take {b} away from {a}."]
JA_NEXT = ["{a}の次の数は？", "{a}の次の数は何ですか？", "{a}の次はいくつ？", "{a}より1大きい数は？"]
EN_NEXT = ["What number comes after {a}?", "What is the next number after {a}?", "Which number follows {a}?"]


def _operand_words(rng, a, b, japanese):
    """Operands as digits, or now and then as number words."""
    if rng.random() < 0.15:
        words = KANJI_NUMBERS if japanese else ENGLISH_NUMBERS
        return words[a], words[b], True
    return a, b, False


def draw_pair(rng):
    """A pair of operands whose sum may be shown."""
    while True:
        a, b = rng.randint(0, MAX_OPERAND), rng.randint(0, MAX_OPERAND)
        if frozenset((a, b)) not in HELD_OUT:
            return a, b


def sum_turn(rng, japanese, pair=None):
    """One addition: (question, answer). The answer repeats the sum in digits."""
    a, b = pair or draw_pair(rng)
    x, y, words = _operand_words(rng, a, b, japanese)
    form = rng.choice(JA_SUM if japanese else EN_SUM)
    if words:
        form = form.replace("+", "足す" if japanese else " plus ").replace("  ", " ").replace("＋", "足す")
    answer = f"{a}+{b}は{a + b}です。" if japanese else f"{a} + {b} is {a + b}."
    return form.format(a=x, b=y), answer


def difference_turn(rng, japanese):
    """One subtraction with a result that is not negative; related to no held-out sum."""
    while True:
        a, b = rng.randint(0, MAX_OPERAND), rng.randint(0, MAX_OPERAND)
        if a >= b and frozenset((a - b, b)) not in HELD_OUT:
            break
    form = rng.choice(JA_DIFFERENCE if japanese else EN_DIFFERENCE)
    answer = f"{a}-{b}は{a - b}です。" if japanese else f"{a} - {b} is {a - b}."
    return form.format(a=a, b=b), answer


def next_turn(rng, japanese):
    """The number after another, or counting up to one."""
    if rng.random() < 0.3:
        n = rng.randint(3, 10)
        if japanese:
            return rng.choice(["1から{n}まで数えてください。", "{n}まで数えて。"]).format(n=n), "、".join(map(str, range(1, n + 1))) + "です。"
        return rng.choice(["Count to {n}.", "Please count from 1 to {n}."]).format(n=n), ", ".join(map(str, range(1, n + 1))) + "."
    a = rng.randint(0, 24)
    if japanese:
        return rng.choice(JA_NEXT).format(a=a), f"{a}の次は{a + 1}です。"
    return rng.choice(EN_NEXT).format(a=a), f"{a + 1} comes after {a}."

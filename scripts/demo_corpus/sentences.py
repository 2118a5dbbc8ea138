"""Composed sentences of any length, to be copied or corrected, and the errors that the corrections undo."""

from .words import KANJI, LIKES, NAMES_EN, NAMES_JA, RARE, TRANSLATIONS

_JA_TIME = ["今日は", "昨日は", "明日", "毎朝", "毎日", "先週", "来週", "日曜日に", "夏休みに", "夜になると", "朝早く", "時々", "今年の春",
            "去年の冬に", "午後", "昼ごろ", "最近", "週末に", "先月", "さっき"]
_JA_SUBJECT = ["私は", "僕は", "彼は", "彼女は", "母は", "父は", "妹は", "弟は", "先生は", "友達が", "子供たちは", "兄が", "姉と一緒に", "学生たちは",
               "おばあさんは", "おじいさんが", "隣の人が", "犬が", "白い猫が", "みんなで", "二人は"]
_JA_PLACE = ["学校で", "公園で", "駅の前で", "図書館で", "家で", "台所で", "海の近くで", "山の上で", "町の中で", "庭で", "会社で", "病院で", "店で",
             "教室で", "東京で", "京都の寺で", "大阪の町で", "川のそばで", "森の中で", "橋の下で", "部屋の中で", "電車の中で"]
_JA_ACTION = [(["りんごを", "パンを", "魚を", "昼ご飯を", "ラーメンを", "ケーキを", "甘い物を", "カレーを"], ["食べ", "作り", "買い", "分け"]),
              (["本を", "新聞を", "手紙を", "長い物語を", "詩を", "説明書を"], ["読み", "書き", "探し", "借り"]),
              (["音楽を", "歌を", "ラジオを", "古い話を", "鳥の声を"], ["聞き", "楽しみ", "覚え"]),
              (["映画を", "写真を", "月を", "赤い花を", "絵を", "試合を"], ["見", "見つけ", "見せ"]),
              (["服を", "皿を", "窓を", "車を", "靴を"], ["洗い", "直し", "選び", "売り"]),
              (["友達に", "先生に", "妹に", "医者に", "店の人に"], ["会い", "電話をし", "道を聞き", "お礼を言い"]),
              (["英語を", "日本語を", "数学を", "歴史を", "料理を", "ピアノを"], ["勉強し", "教え", "習い", "練習し"])]
_JA_ENDING = ["ます", "ました", "ません", "たいです", "ましょう", "ませんでした", "たかったです", "ながら待っています", "に行きます", "に行きました"]
_JA_NOUN = ["この本", "その映画", "今日の空", "あの山", "この町", "新しい車", "隣の家", "駅の人", "冬の海", "母の料理", "彼の話", "この問題",
            "朝の風", "夜の星", "白い花", "小さな店", "古い時計", "私の部屋", "日本の夏", "東京の電車", "この会社", "あの子"]
_JA_ADJECTIVE = ["とてもきれい", "少し高い", "本当に面白い", "かなり古い", "静か", "有名", "大きい", "寒い", "楽しい", "難しい", "簡単", "美しい",
                 "便利", "元気", "大切", "とても親切", "やさしい", "忙しい", "明るい", "新しい"]
_JA_COPULA = ["です", "ですね", "だと思います", "ですが、好きです", "そうです", "かもしれません"]
_JA_LINK = ["そして、", "でも、", "それから、", "だから、", "しかし、", "また、", "その後、", ""]

_EN_SUBJECT = ["I", "You", "We", "They", "My mother", "My father", "The teacher", "My sister", "The old man", "A student", "The children",
               "My friend", "The doctor", "A small dog", "The white cat", "Our neighbor", "The driver", "Everyone", "The young girl"]
_EN_VERB = ["saw", "found", "bought", "made", "lost", "liked", "wanted", "carried", "opened", "painted", "watched", "sold", "remembered",
            "forgot", "needed", "took", "brought", "cleaned", "borrowed", "dropped"]
_EN_ARTICLE = ["a", "the", "my", "this", "that", "his", "her", "one", "another", "every"]
_EN_ADJECTIVE = ["red", "big", "small", "old", "new", "long", "green", "quiet", "happy", "cold", "warm", "heavy", "bright", "broken",
                 "beautiful", "strange", "simple", "wooden", "empty", "famous", "yellow", "soft", "dark"]
_EN_NOUN = ["book", "car", "house", "bridge", "letter", "garden", "window", "apple", "picture", "river", "table", "ticket", "camera",
            "box", "lamp", "story", "key", "bicycle", "hat", "cake", "phone", "map", "song", "train", "cup", "coat", "bag", "clock"]
_EN_PLACE = ["in the park", "at school", "near the station", "on the table", "in the kitchen", "by the river", "under the bridge",
             "behind the house", "at the library", "in Tokyo", "on the hill", "in the garden", "next to the hospital", "at home"]
_EN_TIME = ["yesterday", "this morning", "last week", "every day", "on Sunday", "after lunch", "before dinner", "at night", "last summer",
            "in the evening", "two days ago", "in April"]
_EN_BE = ["is very nice", "was late again", "is my favorite", "was full of people", "is not here", "will arrive soon", "looks good today",
          "was made in Japan", "is too expensive", "can be seen from here", "has a good smell", "was closed", "does not work"]
_EN_LINK = ["and", "but", "so", "because", "while", "when", "after", "although"]

_HIRAGANA = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをんがぎぐげござじずぜぞだでどばびぶべぼぱぴぷぺぽっゃゅょ"
_KATAKANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンガギグゲゴザジズゼゾダデドバビブベボパピプペポッャュョーヴ"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SYMBOLS = "!#$%&()*+-./:;=?@_~…・ー「」『』（）％々〜<>[]{}|^'"


def _ja_clause(rng):
    time = rng.choice(_JA_TIME) if rng.random() < 0.5 else ""
    place = rng.choice(_JA_PLACE) if rng.random() < 0.6 else ""
    if rng.random() < 0.12:
        subject = rng.choice(NAMES_JA) + "さんは"
    else:
        subject = rng.choice(_JA_SUBJECT)
    roll = rng.random()
    if roll < 0.62:
        objects, verbs = rng.choice(_JA_ACTION)
        return time + subject + place + rng.choice(objects) + rng.choice(verbs) + rng.choice(_JA_ENDING)
    if roll < 0.85:
        return time + rng.choice(_JA_NOUN) + "は" + rng.choice(_JA_ADJECTIVE) + rng.choice(_JA_COPULA)
    thing = rng.choice(TRANSLATIONS)[0] if rng.random() < 0.5 else rng.choice(_JA_NOUN)
    count = rng.choice(["{n}個", "{n}回", "{n}時に", "{n}人で", "{n}円で", "{n}冊"]).format(n=rng.randint(1, 999))
    return subject + place + thing + "を" + count + rng.choice(["見ました", "買いました", "もらいました", "数えました", "使います"])


def _en_clause(rng):
    subject = rng.choice(NAMES_EN) if rng.random() < 0.2 else rng.choice(_EN_SUBJECT)
    if rng.random() < 0.3:
        noun = rng.choice(_EN_NOUN)
        return f"{rng.choice(['The', 'This', 'My', 'That', 'Your'])} {rng.choice(_EN_ADJECTIVE)} {noun} {rng.choice(_EN_BE)}"
    words = [subject, rng.choice(_EN_VERB)]
    if rng.random() < 0.15:
        words += [str(rng.randint(2, 999)), rng.choice(_EN_NOUN) + "s"]
    else:
        words.append(rng.choice(_EN_ARTICLE))
        if rng.random() < 0.6:
            words.append(rng.choice(_EN_ADJECTIVE))
        words.append(rng.choice(_EN_NOUN))
    if rng.random() < 0.5:
        words.append(rng.choice(_EN_PLACE))
    if rng.random() < 0.4:
        words.append(rng.choice(_EN_TIME))
    return " ".join(words)


def _lower_first(text):
    return text if text.split(" ")[0] in NAMES_EN or text.startswith("I ") else text[0].lower() + text[1:]


def sentence(rng, japanese):
    """One well-formed sentence, closed by a full stop."""
    if japanese:
        text = _ja_clause(rng)
        if rng.random() < 0.2:
            text += rng.choice(["が、", "から、", "ので、", "けれど、"]) + _ja_clause(rng)
        return text + "。"
    text = _en_clause(rng)
    if rng.random() < 0.25:
        text += f" {rng.choice(_EN_LINK)} {_lower_first(_en_clause(rng))}"
    return text + "."


def text(rng, japanese, count):
    """`count` sentences in a row."""
    if not japanese:
        return " ".join(sentence(rng, False) for _ in range(count))
    parts = [sentence(rng, True)]
    parts += [rng.choice(_JA_LINK) + sentence(rng, True) for _ in range(count - 1)]
    return "".join(parts)


def _odd_word(rng):
    roll = rng.random()
    if roll < 0.2:
        return "".join(rng.choice(_HIRAGANA) for _ in range(rng.randint(1, 6)))
    if roll < 0.35:
        return "".join(rng.choice(_KATAKANA) for _ in range(rng.randint(1, 6)))
    if roll < 0.6:
        return "".join(rng.choice(KANJI) for _ in range(rng.randint(1, 4)))
    if roll < 0.8:
        word = "".join(rng.choice(_LETTERS) for _ in range(rng.randint(1, 7)))
        return rng.choice([word, word, word.capitalize(), word.upper()])
    if roll < 0.92:
        return str(rng.randint(0, 10 ** rng.randint(1, 8)))
    return rng.choice(RARE) if rng.random() < 0.5 else rng.choice(_SYMBOLS)


def odd_text(rng, japanese):
    """Words and characters in no sensible order: what cannot be guessed must be copied."""
    pool_column = 0 if japanese else 1
    words = []
    for _ in range(rng.randint(1, 9)):
        roll = rng.random()
        if roll < 0.45:
            words.append(_odd_word(rng))
        elif roll < 0.75:
            words.append(rng.choice(TRANSLATIONS)[pool_column])
        elif roll < 0.85:
            words.append(rng.choice(NAMES_JA if japanese else NAMES_EN))
        else:
            words.append(rng.choice(LIKES)[pool_column])
    return rng.choice(["", "、", "、", "の", "と", " "]).join(words) if japanese else rng.choice([" ", " ", ", "]).join(words)


def _fullwidth(token):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in token)


def corrupted(rng, japanese, count=1):
    """(faulty text, corrected text) of `count` sentences with one light error."""
    good = text(rng, japanese, count)
    if japanese:
        kind = rng.choice(["period", "particle", "particle", "stops", "width", "word"])
        if kind == "period":
            return good[:-1], good
        if kind == "stops":
            return good + "。", good
        if kind == "particle":
            spots = [i for i, c in enumerate(good) if c in "はがをにで" and 0 < i < len(good) - 3]
            if spots:
                i = rng.choice(spots)
                return good[:i] + good[i] + good[i:], good
        if kind == "word":
            word = rng.choice(["今日", "昨日", "とても", "本当に", "私", "明日", "先週", "毎日", "学校", "公園"])
            if word in good:
                i = good.index(word)
                return good[:i] + word + good[i:], good
        number = str(rng.randint(1, 999))
        thing = rng.choice(["時に起きます。", "円です。", "個あります。", "人来ました。", "回読みました。", "冊買いました。"])
        lead = rng.choice(_JA_SUBJECT[:15]) if rng.random() < 0.7 else ""
        rest = "" if count == 1 else text(rng, True, count - 1)
        return lead + _fullwidth(number) + thing + rest, lead + number + thing + rest
    kind = rng.choice(["period", "double", "double", "case", "space", "i", "width"])
    if kind == "period":
        return good[:-1], good
    words = good.split(" ")
    if kind == "double":
        i = rng.randrange(len(words) - 1)
        return " ".join(words[:i + 1] + [words[i].lower() if i == 0 and words[i] != "I" else words[i]] + words[i + 1:]), good
    if kind == "space":
        i = rng.randrange(1, len(words))
        return " ".join(words[:i]) + "  " + " ".join(words[i:]), good
    if kind == "i" and " I " in good:
        return good.replace(" I ", " i "), good
    if kind == "width":
        i = rng.randrange(len(words))
        return " ".join(words[:i] + [_fullwidth(words[i])] + words[i + 1:]), good
    return good[0].lower() + good[1:], good

# Every character that a copied text may need as a piece of its own; RARE ones are left to the bytes.
COPY_CHARACTERS = "".join(sorted(set(KANJI + _HIRAGANA + _KATAKANA + _LETTERS + _LETTERS.upper() + _SYMBOLS + "0123456789。、：！？\"" +
                                     "".join(chr(c + 0xFEE0) for c in range(0x21, 0x7F)))))

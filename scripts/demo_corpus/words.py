"""Word lists: translations, names, things to like, and characters for copying."""

# (Japanese, English) pairs that the model translates both ways.
TRANSLATIONS = [
    ("犬", "dog"), ("猫", "cat"), ("鳥", "bird"), ("魚", "fish"), ("馬", "horse"), ("牛", "cow"), ("水", "water"), ("火", "fire"),
    ("山", "mountain"), ("川", "river"), ("海", "sea"), ("空", "sky"), ("月", "moon"), ("太陽", "sun"), ("星", "star"),
    ("雨", "rain"), ("雪", "snow"), ("花", "flower"), ("木", "tree"), ("森", "forest"), ("本", "book"), ("机", "desk"),
    ("椅子", "chair"), ("車", "car"), ("電車", "train"), ("家", "house"), ("学校", "school"), ("先生", "teacher"),
    ("学生", "student"), ("友達", "friend"), ("母", "mother"), ("父", "father"), ("子供", "child"), ("手", "hand"),
    ("目", "eye"), ("耳", "ear"), ("足", "foot"), ("りんご", "apple"), ("パン", "bread"), ("卵", "egg"), ("牛乳", "milk"),
    ("お茶", "tea"), ("ご飯", "rice"), ("肉", "meat"), ("赤", "red"), ("青", "blue"), ("白", "white"), ("黒", "black"),
    ("緑", "green"), ("黄色", "yellow"), ("春", "spring"), ("夏", "summer"), ("秋", "autumn"), ("冬", "winter"),
    ("朝", "morning"), ("夜", "night"), ("時間", "time"), ("お金", "money"), ("音楽", "music"), ("言葉", "word"),
    ("名前", "name"), ("国", "country"), ("町", "town"), ("駅", "station"), ("病院", "hospital"), ("医者", "doctor"),
    ("窓", "window"), ("ドア", "door"), ("鍵", "key"), ("紙", "paper"), ("手紙", "letter"), ("写真", "photo"), ("靴", "shoes"),
    ("帽子", "hat"), ("愛", "love"), ("平和", "peace"), ("夢", "dream"), ("心", "heart"), ("世界", "world"), ("月曜日", "Monday"),
    ("日曜日", "Sunday"), ("大きい", "big"), ("小さい", "small"), ("新しい", "new"), ("古い", "old"), ("食べる", "eat"),
    ("飲む", "drink"), ("読む", "read"), ("書く", "write"), ("走る", "run"), ("歩く", "walk"), ("泳ぐ", "swim"), ("見る", "see"),
    ("聞く", "listen"), ("話す", "speak"),
    ("おはようございます", "Good morning"), ("こんにちは", "Hello"), ("こんばんは", "Good evening"), ("おやすみなさい", "Good night"),
    ("ありがとう", "Thank you"), ("さようなら", "Goodbye"), ("はい", "Yes"), ("いいえ", "No"), ("お誕生日おめでとう", "Happy birthday"),
    ("愛しています", "I love you"), ("すみません", "Excuse me"),
]

NAMES_JA = ["健太", "花子", "太郎", "美咲", "翔太", "さくら", "大輔", "由美", "直樹", "愛", "健", "恵", "誠", "陽子", "拓也", "明美",
            "一郎", "次郎", "真理", "涼", "葵", "悠斗", "結衣", "蓮", "陽菜", "田中", "佐藤", "鈴木", "高橋", "伊藤", "渡辺", "山本",
            "中村", "小林", "加藤", "吉田", "山田", "松本", "井上", "木村", "ジョン", "メアリー", "アンナ", "トム", "ケン", "マイク",
            "エマ", "リサ", "ボブ", "アリス"]

NAMES_EN = ["Ken", "Anna", "Tom", "Mary", "John", "Alice", "Bob", "Emma", "Lisa", "Mike", "Yuki", "Taro", "Hanako", "Sara", "David",
            "Peter", "Lucy", "Paul", "Jane", "Kate", "Mark", "Nina", "Oscar", "Paula", "Rosa", "Sam", "Tina", "Victor", "Wendy",
            "Aki", "Ben", "Carl", "Diana", "Eric", "Fred", "Grace", "Henry", "Ivan", "Julia", "Leo"]

LIKES = [("りんご", "apples"), ("寿司", "sushi"), ("音楽", "music"), ("映画", "movies"), ("猫", "cats"), ("犬", "dogs"),
         ("読書", "books"), ("サッカー", "soccer"), ("野球", "baseball"), ("ラーメン", "ramen"), ("カレー", "curry"),
         ("お茶", "tea"), ("コーヒー", "coffee"), ("旅行", "travel"), ("料理", "cooking"), ("海", "the sea"), ("山", "mountains"),
         ("ピアノ", "the piano"), ("テニス", "tennis"), ("チョコレート", "chocolate"), ("バナナ", "bananas"), ("花", "flowers")]

# Characters that the copying tasks string together, so that the tokenizer knows them and the model copies them.
KANJI = ("一右雨円王音下火花貝学気九休玉金空月犬見五口校左三山子四糸字耳七車手十出女小上森人水正生青夕石赤千川先早草足村大男竹中虫町天田土二日入年白八百文木本名目立力林六"
         "引羽雲園遠何科夏家歌画回会海絵外角楽活間丸岩顔汽記帰弓牛魚京強教近兄形計元言原戸古午後語工公広交光考行高黄合谷国黒今才細作算止市矢姉思紙寺自時室社弱首秋週春書少場色食心新親図数西声星晴切雪船線前組走多太体台地池知茶昼長鳥朝直通弟店点電刀冬当東答頭同道読内南肉馬売買麦半番父風分聞米歩母方北毎妹万明鳴毛門夜野友用曜来里理話"
         "悪安暗医委意育員院飲運泳駅央横屋温化荷界開階寒感漢館岸起期客究急級宮球去橋業曲局銀区苦具君係軽血決研県庫湖向幸港号根祭皿仕死使始指歯詩次事持式実写者主守取酒受州拾終習集住重宿所暑助昭消商章勝乗植申身神真深進世整昔全相送想息速族他打対待代第題炭短談着注柱丁帳調追定庭笛鉄転都度投豆島湯登等動童農波配倍箱畑発反坂板皮悲美鼻筆氷表秒病品負部服福物平返勉放味命面問役薬由油有遊予羊洋葉陽様落流旅両緑礼列練路和"
         "愛案以衣位茨印英栄媛塩岡億加果貨課芽賀改械害街各覚潟完官管関観願岐希季旗器機議求泣給挙漁共協鏡競極熊訓軍郡群径景芸欠結建健験固功好香候康佐差菜最埼材崎昨札刷察参産散残氏司試児治滋辞鹿失借種周祝順初松笑唱焼照城縄臣信井成省清静席積折節説浅戦選然争倉巣束側続卒孫帯隊達単置仲沖兆低底的典伝徒努灯働特徳栃奈梨熱念敗梅博阪飯飛必票標不夫付府阜富副兵別辺変便包法望牧末満未民無約勇要養浴利陸良料量輪類令冷例連老労録"
         "吾輩羅源氏夢靴帽誰彼猫椅忙難眠忘僕")

RARE = "麒麟薔薇鬱憂醤檸檬蜻蛉躊躇☀★♪♡→αβγΩ😀🐱🍣🎉🚀éüñçøßжд한글中国简体"

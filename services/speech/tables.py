"""What people write, and what they say instead of it. Keys are lower case."""

from __future__ import annotations

# fmt: off
SLANG_ZH = {
    # initials of a phrase
    "yyds": "永远的神", "xswl": "笑死我了", "awsl": "啊我死了", "u1s1": "有一说一", "yysy": "有一说一",
    "dbq": "对不起",
    "zqsg": "真情实感", "nsdd": "你说得对", "srds": "虽然但是", "gkd": "搞快点", "bdjw": "不懂就问", "tql": "太强了",
    "kswl": "磕死我了", "kdl": "磕到了", "szd": "是真的", "xdm": "兄弟们", "jms": "姐妹们", "jmm": "姐妹们",
    "plmm": "漂亮妹妹", "xjj": "小姐姐", "xgg": "小哥哥", "pyq": "朋友圈", "yygq": "阴阳怪气", "ssfd": "瑟瑟发抖",
    "srkl": "生日快乐", "dddd": "懂的都懂", "xs": "笑死", "nb": "牛", "hhh": "哈哈哈", "3q": "三克油",
    "yjsl": "一键三连",
    "lz": "楼主", "zz": "这种", "emmm": "嗯", "emm": "嗯", "wow": "哇", "bb": "宝宝",
}
"""Tokens of letters (and digits) inside Chinese, or alone."""

SLANG_DIGITS = {
    "88": "拜拜", "886": "拜拜喽", "520": "五二零", "521": "五二一", "1314": "一三一四", "5201314": "五二零一三一四",
    "996": "九九六", "007": "零零七", "985": "九八五", "211": "二一一", "9494": "就是就是", "404": "四零四",
    "110": "幺幺零", "120": "幺二零", "119": "幺幺九", "12306": "幺二三零六", "12345": "一二三四五",
    "4399": "四三九九", "2112": "二一一二",
    # lines for people in need: the heart, the law, buyers, the young, women, health
    "12356": "幺二三五六", "12348": "幺二三四八", "12315": "幺二三幺五", "12355": "幺二三五五", "12338": "幺二三三八",
    "12320": "幺二三二零",
}
"""Numbers that stand alone in Chinese, counting nothing."""

SLANG_EN = {
    "omg": "oh my god", "btw": "by the way", "idk": "I don't know", "imo": "in my opinion", "tbh": "to be honest",
    "brb": "be right back", "thx": "thanks", "ty": "thank you", "tysm": "thank you so much", "pls": "please",
    "plz": "please", "u": "you", "ur": "your", "r": "are", "np": "no problem", "gn": "good night",
    "gm": "good morning",
    "vs": "versus", "ily": "I love you", "ikr": "I know right", "lmao": "haha", "rofl": "haha", "lol": "haha",
    "nvm": "never mind", "rn": "right now", "ppl": "people", "bc": "because", "wdym": "what do you mean",
    "irl": "in real life", "asap": "as soon as possible", "bday": "birthday", "ofc": "of course",
}
"""Tokens inside English."""

ABBREVIATIONS_EN = {
    "mr.": "mister", "mrs.": "missus", "ms.": "miz", "dr.": "doctor", "prof.": "professor", "st.": "saint",
    "vs.": "versus", "etc.": "et cetera", "e.g.": "for example", "i.e.": "that is", "approx.": "approximately",
}

FACES = (
    "qwq", "qaq", "ovo", "owo", "uwu", "ovo", "t_t", "t.t", "tat", "tvt", "orz", "otz", "xd", ":d", ":)", ":(", ";)",
    ":p", ":o", ":3", "^_^", "^^", "-_-", "=_=", ">_<", "o_o", "0.0", "=w=", "www", "doge",
)
"""Faces made of letters: shown, not said."""

SPELLED = frozenset((
    "ai", "ui", "it", "id", "ip", "up", "usa", "uk", "eu", "un", "api", "app", "aigc", "ceo", "vip", "svip", "diy",
    "ktv", "ar",
    "iq", "eq", "uid", "ufo", "faq", "aka", "gpu", "cpu", "npu", "nba", "mvp", "os", "io", "ipo", "ev", "ai4s", "oa",
))
SAID_AS_WORDS = frozenset((
    "ok", "nasa", "unesco", "lol", "covid", "asmr", "wifi", "hi", "no", "yes", "go", "we", "me", "my", "so", "to",
    "oh",
    "ha", "bye", "hey", "love", "wow", "cool", "nice", "good", "live", "lydia",
))

UNITS = {
    "km/h": ("公里每小时", "kilometers per hour"), "m/s": ("米每秒", "meters per second"),
    "kg": ("公斤", "kilograms"), "mg": ("毫克", "milligrams"), "g": ("克", "grams"), "t": ("吨", "tons"),
    "km": ("公里", "kilometers"), "cm": ("厘米", "centimeters"), "mm": ("毫米", "millimeters"), "m": ("米", "meters"),
    "nm": ("纳米", "nanometers"), "km2": ("平方公里", "square kilometers"), "m2": ("平方米", "square meters"),
    "m3": ("立方米", "cubic meters"), "ml": ("毫升", "milliliters"), "l": ("升", "liters"),
    "h": ("小时", "hours"), "min": ("分钟", "minutes"), "s": ("秒", "seconds"), "ms": ("毫秒", "milliseconds"),
    "w": ("万", "watts"), "kw": ("千瓦", "kilowatts"), "kwh": ("度电", "kilowatt hours"), "v": ("伏", "volts"),
    "hz": ("赫兹", "hertz"), "khz": ("千赫", "kilohertz"), "mhz": ("兆赫", "megahertz"), "ghz": ("吉赫", "gigahertz"),
    "kb": ("K B", "kilobytes"), "mb": ("兆", "megabytes"), "gb": ("G B", "gigabytes"), "tb": ("T B", "terabytes"),
    "fps": ("帧", "frames per second"), "db": ("分贝", "decibels"), "px": ("像素", "pixels"),
    "cal": ("卡", "calories"),
    "kcal": ("千卡", "kilocalories"), "lb": ("磅", "pounds"), "lbs": ("磅", "pounds"), "ft": ("英尺", "feet"),
    "mph": ("英里每小时", "miles per hour"), "°c": ("摄氏度", "degrees celsius"),
    "°f": ("华氏度", "degrees fahrenheit"),
    "°": ("度", "degrees"), "rmb": ("元", "yuan"), "usd": ("美元", "dollars"), "k": ("千", "thousand"),
}
"""Mandarin and English, the latter in the plural; `w` after a number is 万 to Chinese writers."""

CURRENCIES = {
    "¥": ("元", "yuan", ""), "$": ("美元", "dollars", "cents"), "€": ("欧元", "euros", "cents"),
    "£": ("英镑", "pounds", "pence"), "₩": ("韩元", "won", ""), "rmb": ("元", "yuan", ""),
    "us$": ("美元", "dollars", "cents"),
    "hk$": ("港币", "Hong Kong dollars", "cents"),
}

MEASURES = (
    "个只条张本位名次天年块元点分秒万亿千百倍岁人米斤公两里周星期小杯碗瓶盒包袋件套双对副台辆架艘部首曲支枝根片朵棵颗"
    "粒滴口头匹家间层栋座所遍回场场趟下句段篇页行集季轮局把束群种类样款代届级度寸尺吨克升毫厘角毛美欧英韩港帧票票条"
)
"""Hanzi that count: before them 2 is 两, and a number is a quantity rather than a code."""

COUNTED = (
    "likes", "viewers", "people", "fans", "followers", "friends", "of you", "gifts", "roses", "hearts", "stars",
    "coins", "messages", "comments", "shares", "views", "songs", "words", "pages", "times", "steps", "days", "nights",
    "hours", "minutes", "seconds", "years", "points",
)
"""What is counted in a room: before them an English number is no year, but for "in 2112 people …"."""

EMOJI = {
    "😂": ("哈哈", "haha"), "🤣": ("哈哈哈", "hahaha"), "😄": ("嘻嘻", "hehe"), "😁": ("嘻嘻", "hehe"),
    "😊": ("嘻嘻", "hehe"),
    "😭": ("呜呜", "boohoo"), "😢": ("呜呜", "boohoo"), "😡": ("哼", "hmph"), "😤": ("哼", "hmph"),
    "😱": ("哇", "wow"),
    "😮": ("哇", "wow"), "😍": ("好喜欢", "love it"), "🥰": ("好喜欢", "love it"), "😘": ("么么哒", "mwah"),
    "❤": ("爱你", "love you"), "💕": ("爱你", "love you"), "💖": ("爱你", "love you"), "💗": ("爱你", "love you"),
    "👍": ("真棒", "great"), "👏": ("鼓掌", "bravo"), "🙏": ("谢谢", "thank you"), "💪": ("加油", "you can do it"),
    "🎉": ("恭喜", "congratulations"), "🎂": ("生日快乐", "happy birthday"), "👋": ("嗨", "hi"),
    "🌹": ("玫瑰", "a rose"),
    "🌸": ("花花", "flowers"), "🎁": ("礼物", "a gift"), "🔥": ("好火", "on fire"), "⭐": ("星星", "a star"),
    "🌙": ("晚安", "good night"), "🤔": ("嗯", "hmm"), "👌": ("好的", "okay"), "💯": ("满分", "a hundred percent"),
    "🚀": ("起飞", "let's go"), "🐱": ("喵", "meow"), "🐶": ("汪", "woof"), "🍉": ("吃瓜", "popcorn time"),
}
"""Said only when a text consists of nothing else; beside words an emoji is a face, not a word."""

LINK = ("链接", "the link")
EMAIL = ("邮箱地址", "the email address")
# fmt: on

"""What a simulated audience is called and says. All of it is made up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SoldGift:
    """A gift of the simulated platform."""

    gift_id: str
    name: str
    price_fen: int
    weight: float
    """How often it is given, relative to the others."""


GIFTS = (
    SoldGift("SIMULATEDGIFT0001==", "仙女棒", 10, 60),
    SoldGift("SIMULATEDGIFT0002==", "能力药丸", 100, 25),
    SoldGift("SIMULATEDGIFT0003==", "能量电池", 990, 12),
    SoldGift("SIMULATEDGIFT0004==", "超级空投", 8880, 3),
)

CHINESE_NAMES = (
    "小明", "夜空中的星", "吃货小分队", "北方的狼", "甜甜圈", "深海鱼", "阿杰", "月亮不营业", "柠檬不酸",
    "老王在线", "云朵邮递员", "数学课代表", "奶茶三分糖", "爱笑的眼睛", "一只小橘猫", "风起时", "追风少年",
    "打工人小李", "芒果班戟", "晚安北京", "熊猫要减肥", "逆光而行", "桃子汽水", "小鹿乱撞", "山里的信号",
    "今天也没睡", "大海有鱼", "安静的美男子", "火锅不要香菜", "代码写到头秃", "南城旧事", "三点半的咖啡",
    "胡萝卜须", "雨天打伞吗", "东北一枝花", "𝓛𝓾𝓬𝓴𝔂小七", "❀花花❀", "用户8827361", "A&B=\"c\"", "😀😀",
)  # fmt: skip
ENGLISH_NAMES = (
    "Mei", "Tom_K", "noodle.soup", "JennyFromHZ", "retro_raven", "Sam", "pixelpaws", "Olivia W", "dr_waffles",
    "Kenji", "blue.lantern", "MarcoPolo88", "ghost in the mall", "Ada L.", "not_a_bot_i_swear", "Zoë",
    "sleepy panda", "Luca", "grandma_gamer", "xX_Comet_Xx",
)  # fmt: skip

CHINESE_COMMENTS = (
    "你好呀", "大家好", "Lydia 晚上好", "主播好漂亮", "第一次来", "刚下班来看你", "早上好", "嗨嗨嗨",
    "来了来了", "晚安啦", "你今天开心吗", "在干嘛呢", "我来报到", "好久不见", "想你了", "会唱歌吗", "唱首歌吧",
    "能唱一首{song}吗", "点一首{song}", "你最喜欢什么歌", "会跳舞吗", "来一段舞", "你多大了", "今年几岁啊",
    "你几岁", "生日是哪天", "你是哪里人", "你是真人吗", "你是AI吗", "你有身体吗", "你住在哪里",
    "2112年是什么样子", "未来还有奶茶吗", "你会做梦吗", "你累不累", "你睡觉吗", "玩{game}吗", "一起打{game}吧",
    "{game}好难啊", "推荐个游戏", "{city}下雨了", "{city}今天好热", "今天天气怎么样", "明天会下雪吗",
    "有男朋友吗", "我喜欢你", "可以做我女朋友吗", "你相信爱情吗", "失恋了怎么办", "考试没考好", "不想上班",
    "怎么才能早睡", "你吃饭了吗", "喜欢吃{food}吗", "{food}和火锅选一个", "讲个笑话吧", "讲个故事",
    "讲一个冷笑话", "你最怕什么", "哈哈哈哈", "笑死我了", "666", "太可爱了", "声音好好听", "关注了",
    "为什么叫Lydia", "你的名字什么意思", "会说英语吗", "会说四川话吗", "1+1等于几", "帮我写作业",
    "圆周率后面几位", "给我唱生日歌，今天我生日", "主播看我", "看不到我吗", "卡了卡了", "没声音啊",
    "声音小了点", "背景真好看", "头发什么颜色", "你喜欢什么颜色", "养猫吗", "我家猫叫{food}", "加油",
    "啊啊啊啊啊啊", "？？？", "。。。", "呜呜呜", "emmm", "冲鸭", "6", "1", "[比心][比心]", "🌹🌹🌹",
    "阿巴阿巴",
)  # fmt: skip
ENGLISH_COMMENTS = (
    "hi", "hello Lydia!", "good evening from {city}", "first time here", "hey hey", "how are you today?",
    "what's up", "can you sing {song}?", "sing something please", "do you dance?", "how old are you?",
    "when is your birthday", "are you real?", "are you an AI?", "where do you live", "what is 2112 like?",
    "do you dream?", "do you ever sleep", "do you play {game}?", "{game} is so hard", "recommend me a game",
    "it's raining in {city}", "how's the weather?", "do you have a boyfriend", "i love you",
    "do you believe in love?", "i failed my exam", "i don't want to work", "do you like {food}?",
    "{food} or pizza?", "tell me a joke", "tell me a story", "what are you afraid of?", "lol", "LMAO",
    "so cute", "your voice is lovely", "why are you called Lydia?", "do you speak Chinese?", "what is 17 * 23",
    "it's my birthday today!!", "look at me", "lagging", "no sound?", "nice background", "do you have a cat",
    "go go go", "asdfghjkl", "???", "zzz", "<3 <3 <3", "brb", "gn everyone", "any tips for sleeping early?",
    "what's your favourite color?",
)  # fmt: skip
FILLERS = {
    "song": ("晴天", "小幸运", "海阔天空", "Yesterday", "Let It Go", "夜曲", "月亮代表我的心"),
    "game": ("原神", "王者荣耀", "Minecraft", "Zelda", "俄罗斯方块", "围棋", "Stardew Valley"),
    "city": ("北京", "成都", "哈尔滨", "Shanghai", "London", "广州", "Berlin"),
    "food": ("饺子", "芝士", "麻辣烫", "ramen", "榴莲", "豆腐脑", "tacos"),
}

WAVES = ("666", "哈哈哈哈哈", "Lydia!!!", "唱歌唱歌", "晚安", "love love", "生日快乐", "hhhhh", "欢迎欢迎", "牛")
QUARRELS = (
    ("就你懂？", "比你懂", "你行你上啊", "杠精", "你才杠精", "闭嘴吧", "要你管", "拉黑了"),
    ("noob", "says who", "shut up", "make me", "you're an idiot", "look in a mirror", "blocked", "lol bye"),
    ("这歌难听死了", "你耳朵有问题吧", "说谁呢", "说你呢", "滚", "你滚", "主播管管他", "有病"),
)
ADVERTS = (
    "加薇❤ {contact} 领福利", "V❤X: {contact}", "ｗｅｃｈａｔ {contact}", "＋Ⓥ {contact} 兼职日结",
    "加V芯 {contact}", "想赚钱的私我 威信 {contact}", "q裙 {contact} 进来有红包", "低价代刷 +v {contact}",
    "微❤信 {contact}", "free followers @ {contact}", "cheap g0ld, dm {contact}", "tele gram: {contact}",
    "Ｗ Ｘ {contact} 看片",
)  # fmt: skip
NONSENSE = ("啊啊啊啊", "aaaaaa", "123123", "哒哒哒", "🐸🐸🐸", "？", "w", "qwq", "滴滴滴")
HOMOPHONES = {"的": "得", "吗": "嘛", "什么": "神马", "喜欢": "稀饭", "你": "泥", "在": "再", "我": "窝", "没": "木"}

"""Hanzi with several readings, where the dictionary of readings lacks the words around them."""

from __future__ import annotations

import re

PHRASES = {
    "开心地": "kai1 xin1 de5", "耐心地": "nai4 xin1 de5", "安心地": "an1 xin1 de5", "细心地": "xi4 xin1 de5",
    "专心地": "zhuan1 xin1 de5", "真心地": "zhen1 xin1 de5", "诚实地": "cheng2 shi2 de5", "真实地": "zhen1 shi2 de5",
    "数着": "shu3 zhe5", "种田": "zhong4 tian2",
}  # fmt: skip
"""Words that would be cut or read wrongly: 开|心地, 数|着数|着."""

_GROWTH = "得着大了出成高胖个满起歪错相老辈什到在这那一两三几点啥哪痘肉毛草牙心眼记"
"""What follows 长 where something grows."""
_GROUND = (
    "这那块片遍满每外本当土田草空落倒躺种扫拖擦各陆大耕场领产营墓荒山林阵驻的在生源民天"
    "雪沙泥坡胜余境席就着跪占下买卖有把和里亩集居盖家分"
)
"""What stands before 地 where it is ground."""

_CONTEXTS = {
    rf"(.)\1地|.[^{_GROUND}]地(?=[^上下里面方球点址图铁板暖不很是有没也的都])": "de5",  # how something is done
    r"(?:[最好太多很更够真挺]|[这那多]么)长(?![得点个胖高])": "chang2",
    rf"[不就还的得天尺寸米年]长(?![{_GROWTH}])": "chang2",
    r"[夜歌路发腿裙命桥句假]长(?=[呀啊呢吧哦啦吗]|$)|长(?=时间|[约假夜线路裙裤腿发文图视])": "chang2",
    r"(?:^|[^个读位的多次])数(?=[着一到不得进完清下两三四五六七八九几星船窗羊钱]|十[一二三四五六七八九]|好了)": "shu3",
    r"[我你他她它来再会能帮]数|数一数": "shu3",
    r"[睡猜够找见用管逮钓抓碰买][不得]着": "zhao2",
    r"[我你您他她它们咱谁还就也都总又可先真须那]得(?=[^了到过第奖分病癌感冠嘞])": "dei3",  # must
    r"^得(?=[先有你我他去把])": "dei3",
    r"[我你您他她它们谁]得(?=[了到过第奖分病癌感冠])": "de2",  # get
    r"(?:^|[^个种首声曲腔])调(?=[轻暗亮成高低大小快慢准到半呼]|一[下点])": "tiao2",
    r"(?:^|[^这那哪一几两三多某每])种(?=[着了过花树菜草满])": "zhong4",
    r"[这那哪每几两一二三四五六七八九十百千]只(?![能好要有会剩怕想管])": "zhi1",
    r"(?:慢慢|不用|把[^还]{1,4})还(?=[了吧呢]|$)": "huan2",  # give back
    r"空(?=着(?![手肚]))": "kong4",
    r"转(?=了?[一两三几半]?圈|着|起来)|[着照慢]转(?=[呀的]|$)": "zhuan4",
}
CONTEXTS = tuple((re.compile(pattern), (reading[:-1], int(reading[-1]))) for pattern, reading in _CONTEXTS.items())
"""The last Hanzi of a match is read so where it is no part of a longer word."""

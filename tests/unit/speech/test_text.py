"""What she writes is read the way people say it, in both languages and mixed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.speech.expand import HANZI
from services.speech.text import MARKS, MAX_PHRASE, MAX_WORD, Phrase, phrases, written


def said(text: str) -> str:
    """Phrases one after another, English in angle brackets."""
    return " ".join(
        "".join(f"<{run.text}>" if run.language == "en" else run.text for run in phrase.runs) + phrase.mark
        for phrase in phrases(text)
    )


CASES = {
    "numbers in Chinese": [
        ("我有3个苹果", "我有三个苹果"),
        ("2个月", "两个月"),
        ("2月", "二月"),
        ("我要 2 杯", "我要两杯"),
        ("12个", "十二个"),
        ("22天", "二十二天"),
        ("200人", "两百人"),
        ("1001夜", "一千零一夜"),
        ("20000米", "两万米"),
        ("102000块", "十万两千块"),
        ("1,000,000人", "一百万人"),
        ("100,000,000", "一亿"),
        ("3.14", "三点一四"),
        ("0.5倍", "零点五倍"),
        ("-5", "负五"),
        ("第2名", "第二名"),
        ("第12届", "第十二届"),
        ("No.1的歌，#1的歌", "第一的歌, 第一的歌"),
        ("第III季和第 IX 届", "第三季和第九届"),
        ("VI设计", "<V I>设计"),
        ("1/2的人", "二分之一的人"),
        ("½杯", "二分之一杯"),
        ("3-5个", "三到五个"),
        ("2-3天", "两到三天"),
        ("5~6点", "五到六点"),
        ("3:2", "三比二"),
        ("3-2赢了", "三比二赢了"),
        ("1+1=2", "一加一等于二"),
        ("5-3=2，10-2等于8", "五减三等于二, 十减二等于八"),
        ("因为3>2，1 < 5", "因为三大于二, 一小于五"),
        ("10-2-3=5", "十减二减三等于五"),
        ("1米75的人", "一米七五的人"),
        ("2+3×4=14", "二加三乘四等于十四"),
        ("7x24小时", "七乘二十四小时"),
        ("500+", "五百多"),
        ("100w粉丝", "一百万粉丝"),
        ("1.2w", "一点二万"),
        ("10k+", "超过一万"),
        ("1亿", "一亿"),
        ("５折", "五折"),
        ("①开心②快乐", "一, 开心二, 快乐"),
        ("192.168.1.1", "一百九十二点一百六十八点一点一"),
    ],
    "times, dates and years in Chinese": [
        ("20:30开播", "二十点三十分开播"),
        ("晚上8:00", "晚上八点"),
        ("8:05见", "八点零五分见"),
        ("2:30开始", "两点三十分开始"),
        ("10:00-12:00", "十点到十二点"),
        ("2026-10-18", "二零二六年十月十八日"),
        ("2026/1/2", "二零二六年一月二日"),
        ("2112年见", "二一一二年见"),
        ("来自 2112 年的 2112 信号", "来自二一一二年的二一一二信号"),
        ("把2112的两半换一换", "把二一一二的两半换一换"),
        ("3月5日-8日", "三月五日到八日"),
        ("5月~8月", "五月到八月"),
        ("22:00-24:00", "二十二点到二十四点"),
        ("98年的", "九八年的"),
        ("20年", "二十年"),
        ("60年前", "六十年前"),
        ("2000年", "二零零零年"),
        ("3000年", "三千年"),
        ("2020-2024年", "二零二零到二零二四年"),
        ("80年代", "八十年代"),
        ("90后和00后", "九零后和零零后"),
        ("10月1日", "十月一日"),
    ],
    "money, shares and measures in Chinese": [
        ("¥99.90", "九十九点九元"),
        ("￥100", "一百元"),
        ("¥1.2万", "一点二万元"),
        ("￥100-200", "一百到两百元"),
        ("￥1-2万，￥1,000-2,000", "一到两万元, 一千到两千元"),
        ("花了$2.5 million呢", "花了二点五百万美元呢"),
        ("$5", "五美元"),
        ("$3.5M", "三点五百万美元"),
        ("100元", "一百元"),
        ("50%", "百分之五十"),
        ("涨了0.5%", "涨了百分之零点五"),
        ("10-20%", "百分之十到百分之二十"),
        ("5%-10%", "百分之五到百分之十"),
        ("-10%", "负百分之十"),
        ("气温-5℃到25℃", "气温零下五摄氏度到二十五摄氏度"),
        ("跑了10km", "跑了十公里"),
        ("用时50min", "用时五十分钟"),
        ("180cm", "一百八十厘米"),
        ("100㎡", "一百平方米"),
        ("5㎏", "五公斤"),
        ("60fps", "六十帧"),
        ("时速120km/h", "时速一百二十公里每小时"),
        ("小心心x99", "小心心九十九个"),
        ("玫瑰×10", "玫瑰十个"),
    ],
    "codes and telephone numbers": [
        ("电话是13800138000", "电话是幺三八零零幺三八零零零"),
        ("打010-12345678", "打零幺零幺二三四五六七八"),
        ("+86 13800138000", "八六幺三八零零幺三八零零零"),
        ("房间号9527", "房间号九五二七"),
        ("验证码 1234", "验证码幺二三四"),
        ("群号：123456", "群号: 幺二三四五六"),
        ("call 555-123-4567 now", "<call five five five one two three four five six seven now>"),
        ("热线12356，法律12348，消费12315", "热线幺二三五六, 法律幺二三四八, 消费幺二三幺五"),
        ("12355、12338和12320", "幺二三五五, 幺二三三八和幺二三二零"),
        ("12356人", "一万两千三百五十六人"),
        ("dial 12356", "<dial one two three five six>"),
        ("the helpline is 12356", "<the helpline is one two three five six>"),
        ("I said 500 words", "<I said five hundred words>"),
        ("UID:123456", "<U I D>: <one two three four five six>"),
    ],
    "room slang": [
        ("666", "六六六"),
        ("6666666", "六六六"),
        ("666块", "六百六十六块"),
        ("233333", "二三三"),
        ("88", "拜拜"),
        ("88各位", "拜拜各位"),
        ("88块钱", "八十八块钱"),
        ("886", "拜拜喽"),
        ("520爱你", "五二零爱你"),
        ("520米", "五百二十米"),
        ("1314", "一三一四"),
        ("5555", "呜呜呜"),
        ("yyds", "永远的神"),
        ("xswl，awsl", "笑死我了, 啊我死了"),
        ("u1s1 你真好", "有一说一你真好"),
        ("3q", "三克油"),
        ("这波yyds啊", "这波永远的神啊"),
        ("YYDS", "永远的神"),
        ("omg u r so cool", "<oh my god you are so cool>"),
        ("btw idk", "<by the way I don't know>"),
    ],
    "repetition": [
        ("哈哈哈哈哈哈哈", "哈哈哈"),
        ("啊啊啊啊啊", "啊啊啊"),
        ("加油加油加油加油", "加油加油"),
        ("人々", "人人"),
        ("sooooo coooool", "<so cool>"),
        ("heyyyy", "<hey>"),
        ("hahahahaha", "<ha ha ha>"),
        ("真的！！！？？？", "真的?"),
        ("嗯……好吧", "嗯… 好吧"),
        ("等等……。。。！", "等等!"),
    ],
    "emoji, faces and pictures": [
        ("😂😂😂", "哈哈"),
        ("🌹", "玫瑰"),
        ("好的😂我来了", "好的, 我来了"),
        ("加油💪", "加油,"),
        ("🤪🤪", ""),
        ("👨‍👩‍👧‍👦", ""),
        ("🇨🇳加油", "加油"),
        ("T_T 好难过 QAQ", "好难过,"),
        ("nice :)", "<nice>,"),
        ("(╯°□°）╯︵ ┻━┻", ""),
        ("1️⃣2️⃣", "十二"),
    ],
    "punctuation": [
        ("你好，世界。", "你好, 世界."),
        ("你好 世界", "你好, 世界"),
        ("“你好”，他说", "你好, 他说"),
        ("《三体》真好看", "三体, 真好看"),
        ("（小声）我在", "小声, 我在"),
        ("等一下——好了", "等一下… 好了"),
        ("好~~~", "好"),
        ("Really? Yes!", "<Really>? <Yes>!"),
        ("列奥纳多·达芬奇", "列奥纳多达芬奇"),
        ("1. 唱歌 2. 跳舞", "一. 唱歌二. 跳舞"),
        ("**重点**", "重点"),
    ],
    "Latin inside Chinese": [
        ("我是 Lydia，你好", "我是<Lydia>, 你好"),
        ("AI 是什么", "<A I>是什么"),
        ("NBA总决赛", "<N B A>总决赛"),
        ("OK的", "<OK>的"),
        ("iPhone 15 Pro 真贵", "<i Phone fifteen Pro>真贵"),
        ("我有3个 apple 和2只猫", "我有三个<apple>和两只猫"),
        ("5G手机4K屏", "五<G>手机四<K>屏"),
        ("T恤 K歌 卡拉OK", "<T>恤<K>歌, 卡拉<OK>"),
        ("A4纸", "<A>四纸"),
        ("C++ 和 C#", "<C plus plus>和<C sharp>"),
        ("R&B音乐", "<R>和<B>音乐"),
        ("看 https://live.douyin.com/123 吧", "看链接吧"),
        ("写信到 me@example.com", "写信到邮箱地址"),
        ("我爱你の歌", "我爱你的歌"),
        ("@小明 你好 #话题#", "小明, 你好话题"),
        ("ｈｅｌｌｏ，你好", "<hello>, 你好"),
    ],
    "numbers in English": [
        ("I have 1,234 friends", "<I have one thousand two hundred thirty four friends>"),
        ("I was born in 1999", "<I was born in nineteen ninety nine>"),
        ("2112 is my year", "<twenty one twelve is my year>"),
        ("in 1905 and 2005", "<in nineteen oh five and two thousand five>"),
        ("the 90s and 1980s", "<the nineties and nineteen eighties>"),
        ("the 1st, 2nd, 3rd and 21st", "<the first>, <second>, <third and twenty first>"),
        ("about 2/3 of it", "<about two thirds of it>"),
        ("1/2 a cup", "<one half a cup>"),
        ("It's 8:05 pm", "<It's eight oh five p m>"),
        ("see you at 20:00!", "<see you at eight p m>!"),
        ("at 12:00 or 0:15", "<at twelve o'clock or twelve fifteen a m>"),
        ("come at 5 pm.", "<come at five p m>"),
        ("$5.99 for 2 apples", "<five dollars and ninety nine cents for two apples>"),
        ("only $1", "<only one dollar>"),
        ("it cost $2.5 million", "<it cost two point five million dollars>"),
        ("$5-10 or $1-$2", "<five to ten dollars or one to two dollars>"),
        ("well, 3 > 2", "<well>, <three is greater than two>"),
        ("so 5-3=2", "<so five minus three equals two>"),
        ("open 22:00-24:00", "<open ten p m to twelve a m>"),
        ("1203 likes in 2012", "<one thousand two hundred three likes in twenty twelve>"),
        ("In 2112 people type", "<In twenty one twelve people type>"),
        ("$3.5M deal", "<three point five million dollars deal>"),
        ("it's 50% off", "<it's fifty percent off>"),
        ("10-20% more", "<ten to twenty percent more>"),
        ("25°C today", "<twenty five degrees celsius today>"),
        ("1 kg or 5 kg", "<one kilogram or five kilograms>"),
        ("pi is 3.14", "<pi is three point one four>"),
        ("on 2026-10-18 we meet", "<on October eighteenth>, <twenty twenty six we meet>"),
        ("version v1.2.3", "<version v one point two point three>"),
        ("open 24/7", "<open twenty four seven>"),
        ("100k views", "<one hundred thousand views>"),
        ("2.5M likes", "<two point five million likes>"),
    ],
    "English words": [
        ("Dr. Smith vs. Mr. Lee", "<doctor Smith versus mister Lee>"),
        ("cats, dogs etc.", "<cats>, <dogs et cetera>"),
        ("cats, dogs, etc., e.g., mine", "<cats>, <dogs>, <et cetera>, <for example>, <mine>"),
        ("Oh no. I was 1st.", "<Oh no>. <I was first>."),
        ("No. 1 and no.2, you're #1", "<number one and number two>, <you're number one>"),
        ("I'll say we'll go and he'd sing", "<I'll say we'll go and he'd sing>"),
        ("I'LL NEVER STOP, YOU'LL SEE", "<I'll never stop>, <you'll see>"),
        ("World War III and Henry VIII, Part II", "<World War three and Henry eight>, <Part two>"),
        ("an IV drip and XVI", "<an IV drip and XVI>"),
        ("I LOVE YOU SO MUCH", "<I love you so much>"),
        ("the GPU and NASA", "<the G P U and NASA>"),
        ("don't stop", "<don't stop>"),
        ("it’s fine", "<it's fine>"),
        ("rock & roll", "<rock and roll>"),
        ("café naïve", "<cafe naive>"),
        ("YouTube_video", "<You Tube video>"),
        ("state-of-the-art", "<state of the art>"),
        ("what's up, 兄弟", "<what's up>, 兄弟"),
    ],
    "what nobody can say": [
        ("", ""),
        ("   ", ""),
        ("......", ""),
        ("مرحبا", ""),
        ("こんにちは", ""),
        ("한국어", ""),
        ("привет Lydia", "<Lydia>"),
        ("你好\0世界​！", "你好世界!"),
        ("\ud800 x", "<x>"),
        ("++--==", ""),
    ],
}


@pytest.mark.parametrize(
    ("text", "expected"), [pytest.param(*case, id=f"{group}: {case[0]!a}") for group in CASES for case in CASES[group]]
)
def test_a_text_is_said_as_people_say_it(text: str, expected: str) -> None:
    assert said(text) == expected


@settings(deadline=None)
@given(st.text(max_size=300))
def test_whatever_is_written_only_words_come_out(text: str) -> None:
    for phrase in phrases(text):
        assert phrase.runs
        assert phrase.mark in ("", *MARKS)
        for run in phrase.runs:
            allowed = (
                f"[{HANZI}]+" if run.language == "zh" else "[A-Za-z]+(?:['][A-Za-z]+)*(?: [A-Za-z]+(?:['][A-Za-z]+)*)*"
            )
            assert re.fullmatch(allowed, run.text), run


@settings(deadline=None)
@given(st.text(alphabet="我你a b1，.%:-", max_size=2000))
def test_no_phrase_is_too_long_to_be_said_in_one_breath(text: str) -> None:
    for phrase in phrases(text):
        assert size(phrase) <= MAX_PHRASE
        assert all(len(word) <= MAX_WORD for run in phrase.runs for word in run.text.split() if run.language == "en")


def size(phrase: Phrase) -> int:
    return sum(len(run.text) if run.language == "zh" else 3 * len(run.text.split()) for run in phrase.runs)


@pytest.mark.parametrize(
    ("text", "chinese", "english"),
    [
        ("42!", "四十二！", "forty two!"),
        ("3.5", "三点五", "three point five"),
        ("😂", "哈哈", "haha"),
        ("666", "六六六", "six hundred sixty six"),
        ("Yes, 42!", "Yes, forty two!", "Yes, forty two!"),
        ("四十二", "四十二", "四十二"),
    ],
)
def test_figures_alone_are_read_in_the_language_of_the_words_before(text: str, chinese: str, english: str) -> None:
    assert written(phrases(text)) == written(phrases(text, language="zh")) == chinese
    assert written(phrases(text, language="en")) == english


def test_five_thousand_characters_without_a_stop_are_all_said() -> None:
    found = phrases("天地玄黄宇宙洪荒日月盈昃" * 417)
    assert sum(map(size, found)) == 417 * 12


def test_phrases_can_be_written_out_for_a_voice_that_reads_text() -> None:
    assert written(phrases("你好😂我有2只猫！Hello there.")) == "你好，我有两只猫！Hello there."


def stand_out(text: str, *words: str) -> list[str]:
    """Which runs stand out when these words of the text do."""
    spans = [(text.index(word), text.index(word) + len(word)) for word in words]
    return [run.text for phrase in phrases(text, spans) for run in phrase.runs if run.emphasis]


@pytest.mark.parametrize(
    ("text", "words", "found"),
    [
        ("I really like it.", ["really"], ["really"]),
        ("我很喜欢这个。", ["很"], ["很"]),
        ("我有3个苹果，不是5个。", ["3", "5"], ["三个", "五个"]),
        ("今天 really 好", ["really"], ["really"]),
        ("It costs $20 now", ["$20"], ["twenty dollars"]),
        ("unbelievable", ["believ"], ["unbelievable"]),
        ("谢谢大家，真的谢谢", ["大家，真的"], ["大家", "真的"]),
    ],
)
def test_words_that_stand_out_do_so_when_they_are_read(text: str, words: list[str], found: list[str]) -> None:
    assert stand_out(text, *words) == found


def test_what_stands_out_changes_no_word() -> None:
    text = "我有3个苹果，and it's really good！谢谢 2 次"
    for begin in range(len(text)):
        for end in (begin + 1, begin + 4, len(text) + 3):
            plain = ["".join(run.text for run in phrase.runs).replace(" ", "") for phrase in phrases(text)]
            marked = [
                "".join(run.text for run in phrase.runs).replace(" ", "") for phrase in phrases(text, [(begin, end)])
            ]
            assert plain == marked, text[begin:end]


def test_signs_that_mark_words_inside_are_not_taken_from_outside() -> None:
    assert not any(run.emphasis for phrase in phrases("hello \ue000there\ue001 you") for run in phrase.runs)

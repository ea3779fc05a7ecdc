"""The closed vocabulary of the bundled sample: every phrase is made up for it, every name in it is invented.

A passage tells facts: entity (a mountain, a teahouse ...), attribute (its height, its keeper ...), value. Names and
values are put together from the lists below, so that most of them are new in every passage.
"""

from typing import NamedTuple


class Attribute(NamedTuple):
    """One attribute: how a passage tells it and how a question asks for it.

    value: its parts in braces are drawn in `sample.py`. clauses: told after the entity's name and before the value.
    questions: asked with the entity's name; each has a word in common with the clause at the same place. before, after:
    words that may stand at the value; with them it is another golden answer of dev.
    """

    value: str
    clauses: tuple[str, ...]
    questions: tuple[str, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


ABOUT, MORE_OR_LESS = ("约", "大约"), ("左右", "上下")

ATTRIBUTES: dict[str, Attribute] = {
    "height": Attribute(
        "{metres}米",
        ("海拔", "顶上最高处", "高度量得"),
        ("海拔多少米", "有多高", "高度是多少"),
        ABOUT,
        MORE_OR_LESS,
    ),
    "length": Attribute(
        "{metres}米",
        ("全长", "从头到尾长", "长度记作"),
        ("全长多少", "有多长", "长度是几米"),
        ABOUT,
        MORE_OR_LESS,
    ),
    "area": Attribute(
        "{count}亩",
        ("占地", "面积测得", "方圆共大"),
        ("占地多少亩", "面积是多少", "有多大"),
        ABOUT,
        MORE_OR_LESS,
    ),
    "ticket": Attribute(
        "{count}元",
        ("门票卖", "票价定在", "进门收钱"),
        ("门票多少", "票价是几元", "进门要多少钱"),
        ("每人", "原价"),
        ("一张", "一位"),
    ),
    "built": Attribute(
        "{year}年",
        ("始建于", "落成时是", "最初修造在"),
        ("始建于哪年", "什么时候落成", "最初修造的年份"),
        ("公元",),
        ("春", "秋"),
    ),
    "rebuilt": Attribute(
        "{year}年",
        ("重建于", "翻新时是", "后来大修在"),
        ("重建于哪年", "什么时候翻新", "后来大修的年份"),
        ("公元",),
        ("夏", "冬"),
    ),
    "opening": Attribute(
        "{hour}点{minute}分",
        ("开门时间", "早晨迎客从", "上午营业自"),
        ("几点开门", "早晨什么时候迎客", "上午营业时间"),
        ("清早",),
        ("整",),
    ),
    "closing": Attribute(
        "{hour}点{minute}分",
        ("打烊时间", "晚上关门在", "夜里收摊到"),
        ("几点打烊", "晚上什么时候关门", "夜里收摊时间"),
        ("深夜",),
        ("整",),
    ),
    "phone": Attribute(
        "{area_code}-{number}",
        ("电话", "订位请拨", "联系号码"),
        ("电话是多少", "订位拨哪个号", "怎么联系"),
    ),
    "founder": Attribute(
        "{person}",
        ("创办者", "最早出资兴办的是", "祖上当家的叫"),
        ("创办者是谁", "最早是谁出资", "祖上谁当家"),
        ("乡绅", "举人"),
        ("父子", "夫妇"),
    ),
    "keeper": Attribute(
        "{person}",
        ("掌管者", "如今看守的是", "现任管事的叫"),
        ("掌管者是谁", "如今是谁看守", "现任管事叫什么"),
        ("老汉", "退伍兵"),
        ("兄弟", "一家"),
    ),
    "place": Attribute(
        "{place}",
        ("位于", "坐落在", "地处"),
        ("位于哪里", "坐落在什么地方", "地处哪个县"),
        ("古时的", "今"),
        ("城外", "境内"),
    ),
    "dish": Attribute(
        "{dish}",
        ("招牌点心是", "最拿手的小吃是", "食客爱点"),
        ("招牌点心是什么", "什么小吃最拿手", "食客爱点什么"),
        ("祖传", "现做"),
        ("配茶", "拼盘"),
    ),
}


class Kind(NamedTuple):
    """A kind of entity: the ends of its names and its attributes."""

    endings: tuple[str, ...]
    attributes: tuple[str, ...]


KINDS: dict[str, Kind] = {
    "mountain": Kind(("山", "岭", "峰"), ("height", "area", "place", "ticket", "keeper")),
    "teahouse": Kind(("茶馆", "酒坊", "客栈"), ("founder", "keeper", "opening", "closing", "phone", "dish", "place")),
    "bridge": Kind(("桥", "闸", "渡"), ("length", "height", "built", "rebuilt", "place", "founder")),
}

# Parts of invented names; none of the characters occurs in the attributes or in the filling sentences.
NAME_HEADS = "青鹤榆砚霜槿蓼莺苇菱鲤岚杉柘橹鹭"
NAME_TAILS = "石嘴溪墨桐雁帆笛铃萤砂篱雀柚藤蟾"
SURNAMES = "穆阮佘桓蔺邬郗缪"
GIVEN_NAMES = "昕池澄晏铎棠婉竺瑾澜笙荻"
PLACE_ENDINGS = "县镇乡"
DISH_HEADS = ("槐花", "荞麦", "椒盐", "桂圆", "红糖", "芋泥", "枣仁", "薄荷")
DISH_TAILS = ("酥", "糕", "饼", "羹", "团子", "凉粉")

# Subjects of a second sentence on an entity.
PRONOUNS = ("这里", "该处", "它")

# Sentences that tell no fact.
FILLING: tuple[str, ...] = (
    "据《{paper}》记者描述，当天云很低，能听见风声。",
    "许多游人喜欢沿小路慢慢走，边走边拍照。",
    "以上内容由网友整理，仅供参考。",
    "前几天下过雨，路面还有些湿滑。",
    "去过的朋友都说值得，回来后还念念不忘。",
    "{month}月里天气转凉，记得多带一件衣服。",
    "如果不赶行程，不妨坐下歇一歇脚。",
    "关于这些，各种说法并不一致，也没必要深究。",
    "附近停了{number}辆自行车，大概是学生们骑来的。",
    "编者按：本文旨在介绍，不构成任何建议。",
    "听说孩子们最爱这里，因为可以放风筝。",
    "那时交通不便，运货全靠牛马和人力。",
    "《{paper}》曾用{number}行字写到此事，读者反响热烈。",
    "秋天叶子变黄，吸引不少摄影爱好者。",
    "其实只要用心，平常日子也能过得有滋味。",
    "上次投票有{number}名读者参加，结果尚未公布。",
)
PAPERS = ("晨舵日报", "垄上晚报", "七弦周刊", "芥子杂志")

# Questions: the entity's name and what is asked about it.
QUESTION_FRAMES: tuple[str, ...] = (
    "{entity}{asked}",
    "{entity}{asked}",
    "{entity}{asked}？",
    "请问{entity}{asked}",
    "想知道{entity}{asked}",
    "{entity}{asked}呢？",
    "{asked}，我说的是{entity}",
)

# Web leftovers between sentences.
EMOJI: tuple[str, ...] = ("😀", "🍵", "👏")
LEFTOVERS: tuple[str, ...] = (" | ", "<br>", "  ", "&nbsp;", "http://www.example.cn/b/{number}.html ", "\u3000\u3000")
CONTROL_CHARACTER = "\x08"

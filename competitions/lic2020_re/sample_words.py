"""The closed vocabulary of the bundled sample: every phrase is made up for it, every name in it is invented.

Names of people and titles are put together from the characters and words below, so that most are new in every
sentence. What a sentence tells is decided by a few words, such as `执导` (导演) or `剪辑` (nothing), in frames that all
of them share.
"""

from typing import NamedTuple


class Type(NamedTuple):
    """The types of a predicate's subject and object, slots in the order of the official file."""

    subject: str
    object: dict[str, str]


SCHEMA: dict[str, Type] = {
    "主演": Type("影视作品", {"@value": "人物"}),
    "作曲": Type("歌曲", {"@value": "人物"}),
    "上映时间": Type("影视作品", {"inArea": "地点", "@value": "Date"}),
    "母亲": Type("人物", {"@value": "人物"}),
    "编剧": Type("影视作品", {"@value": "人物"}),
    "歌手": Type("歌曲", {"@value": "人物"}),
    "获奖": Type("娱乐人物", {"inWork": "作品", "onDate": "Date", "@value": "奖项", "period": "Number"}),
    "创始人": Type("企业", {"@value": "人物"}),
    "饰演": Type("娱乐人物", {"inWork": "影视作品", "@value": "人物"}),
    "父亲": Type("人物", {"@value": "人物"}),
    "作词": Type("歌曲", {"@value": "人物"}),
    "导演": Type("影视作品", {"@value": "人物"}),
}


class Kind(NamedTuple):
    """A kind of subject that people have their share in.

    form: the name goes in place of `{}`. nouns: may stand before it. pronouns: may stand for it. verbs: what people do
    with it, and the predicates that this tells, none for some.
    """

    form: str
    nouns: tuple[str, ...]
    pronouns: tuple[str, ...]
    verbs: dict[str, tuple[str, ...]]


KINDS: dict[str, Kind] = {
    "film": Kind(
        "《{}》",
        ("", "", "电影", "新片"),
        ("该片", "影片", ""),
        {
            "执导": ("导演",),
            "掌镜": ("导演",),
            "编剧": ("编剧",),
            "写本子": ("编剧",),
            "主演": ("主演",),
            "领衔主演": ("主演",),
            "自编自导": ("导演", "编剧"),
            "自导自演": ("导演", "主演"),
            "剪辑": (),
            "推荐": (),
        },
    ),
    "song": Kind(
        "《{}》",
        ("", "", "歌曲", "单曲"),
        ("此歌", "该曲", ""),
        {
            "演唱": ("歌手",),
            "献声": ("歌手",),
            "作词": ("作词",),
            "填词": ("作词",),
            "作曲": ("作曲",),
            "谱曲": ("作曲",),
            "包办词曲": ("作词", "作曲"),
            "自弹自唱": ("作曲", "歌手"),
            "混音": (),
            "推荐": (),
        },
    ),
    "company": Kind(
        "{}",
        ("", ""),
        ("该公司", ""),
        {"创办": ("创始人",), "创立": ("创始人",), "一手创建": ("创始人",), "接管": (), "采访": ()},
    ),
}

# The first clause on a subject, others on the same one, and clauses on two subjects at once.
CREDITS: tuple[str, ...] = (
    "{subject}由{people}{verb}",
    "{people}{verb}的{subject}",
    "{people}{verb}{subject}",
    "{subject}（{people}{verb}）",
    "{subject}，{verb}：{people}",
)
MORE_CREDITS: tuple[str, ...] = ("{pronoun}由{people}{verb}", "{people}{verb}", "{verb}：{people}")
SHARED_CREDITS: tuple[str, ...] = (
    "{subject}和{other}都由{people}{verb}",
    "{people}{verb}的{subject}、{other}",
    "{people}{verb}{subject}与{other}",
)

# Roles, in a work named in the clause and otherwise. `{role}` may stand before its actor.
ROLES_IN_WORK: tuple[str, ...] = (
    "{actor}在《{work}》中饰演{role}",
    "{actor}饰《{work}》里的{role}",
    "《{work}》中{role}由{actor}饰演",
    "《{work}》里{actor}饰演{role}",
)
ROLES: tuple[str, ...] = ("{actor}饰演{role}", "{role}由{actor}饰演", "{actor}饰{role}")
NAMESAKES: tuple[str, ...] = ("{actor}在《{work}》中饰演同名主角", "《{work}》的同名主角由{actor}饰演")
NAMESAKE_ENDINGS = ("传", "外传", "奇案")

# Dates of a film. The words of the second line tell no relation.
SHOWN = ("上映", "公映", "登陆院线")
NOT_SHOWN = ("杀青", "开机")
AREAS = ("北屿", "鹤洲", "南峪", "兰溟岛", "东堠", "柘城")

# Prizes. The parts in braces but the last are left out at will.
AWARDS: tuple[str, ...] = (
    "{date}{person}{work}{word}{period}{award}",
    "{person}{date}{work}{word}{period}{award}",
    "{work}{person}{date}{word}{period}{award}",
)
WON = ("获得", "摘得", "荣获", "捧回")
NOT_WON = ("无缘", "错失")
BY_WORK = ("凭《{}》", "凭借《{}》", "以《{}》")
BY_THIS_WORK = ("凭该片", "凭借影片")
PRIZES = ("金舵奖", "银榆奖", "青梭奖", "石燕奖")
PRIZE_CLASSES = ("最佳新人", "最佳男配角", "最佳女配角", "年度人物", "最具潜力奖")

# Kin. The words of the last three tell no relation.
KIN: dict[str, str] = {
    "父亲": "父亲",
    "爸爸": "父亲",
    "生父": "父亲",
    "母亲": "母亲",
    "妈妈": "母亲",
    "生母": "母亲",
    "师父": "",
    "舅母": "",
    "邻居": "",
}
KIN_FRAMES: tuple[str, ...] = (
    "{child}的{kin}是{elder}",
    "{elder}是{child}的{kin}",
    "{child}的{kin}{elder}",
    "{child}（{kin}为{elder}）",
    "{elder}，{child}的{kin}",
)
MORE_KIN: tuple[str, ...] = ("{kin}是{elder}", "{kin}{elder}")

# Parts of names; none of the characters of the first two occurs anywhere else.
SURNAMES = "穆阮佘桓蔺郗缪阚晏仇"
GIVEN_NAMES = "昕池澄铎棠婉竺瑾澜笙荻屹砚槿恬骁珩沅钧翊芮旻筱"
STAGE_NAMES = ("Mira", "Odo", "LuLu", "DJ Sabo", "Nix", "Zeph")
TITLE_HEADS = (
    *("灯塔", "琥珀", "榕树", "白鹭", "雾港", "铁匠", "西窗", "棉田", "橘子", "长堤", "蓝鲸", "纸船"),
    *("Neon", "Mr. Fox"),
)
TITLE_TAILS = (
    *("来信", "之夜", "往事", "密码", "三章", "小调", "奇谈", "旅馆", "倒影", "时刻", "不眠", "少年"),
    *("Tide", "II"),
)
COMPANY_HEADS = ("榫舟", "麦垛", "石臼", "星槎", "赤陶", "苇塘", "砂糖", "松塔", "云杉", "陀螺", "Bluu", "KiWo")
COMPANY_TAILS = ("影业", "唱片", "文化", "传媒集团", "科技", "软件", "食品", "纺织厂")
STUDIO = "工作室"

# Around the clauses. The names here have no share in any relation.
OPENINGS: tuple[str, ...] = (
    *("", "", "", "据悉，", "近日，", "快讯：", "今天才知道，", "【旧闻】", "网友爆料，"),
    *("记者{person}报道：", "{date}消息，", "听{person}说，", "看完《{work}》才发现，"),
)
ENDINGS: tuple[str, ...] = (
    *("", "", "", "。", "，引来不少关注", "，值得期待", "，口碑不错", "！", "，让人意外"),
    *("，{person}表示祝贺", "，{person}也来捧场", "，比《{work}》还早", "，{date}已有报道"),
)
EMOJI = ("😀", "🎬", "👏", "🎵")

"""The closed vocabulary of the bundled sample: every phrase is made up for it, every name in it is invented.

A clause is written in a small markup. `{slot}` is filled with a name, number or date, equal slots with equal ones, and
`{this|that}` with one of the words; a `[part]` may be left out; one of the `{time}` becomes a date, or none. A tag with
the name of an event type behind its `-` marks the trigger, any other tag a role. A role belongs to every event of its
clause that has one of this name. Tags may overlap.
"""

# Event type -> its roles. The class is what stands before the `-`.
SCHEMA: dict[str, tuple[str, ...]] = {
    "财经/交易-融资": ("时间", "领投方", "融资轮次", "融资金额", "融资方"),
    "财经/交易-涨价": ("时间", "涨价幅度", "涨价物", "涨价方"),
    "财经/交易-降价": ("时间", "降价方", "降价物", "降价幅度"),
    "组织关系-裁员": ("时间", "裁员方", "裁员人数"),
    "组织关系-加盟": ("时间", "加盟者", "所加盟组织"),
    "竞赛行为-胜负": ("时间", "败者", "胜者", "赛事名称"),
    "竞赛行为-夺冠": ("时间", "冠军", "夺冠赛事"),
    "灾害/意外-坍/垮塌": ("时间", "坍塌主体", "死亡人数", "受伤人数"),
    "灾害/意外-起火": ("时间", "地点", "死亡人数", "受伤人数"),
    "人生-结婚": ("时间", "结婚双方"),
}

VICTIMS = "[，<死亡人数>{people1}</死亡人数>{死亡|遇难}][，<受伤人数>{people2}</受伤人数>{受伤|送医}]"
SEASON = "<时间>{year}<赛事名称>{season}</时间>{league}</赛事名称>"  # two roles that overlap, neither within the other
PRICES = (
    "{time}<=方>{company}</=方>{time}{adverb}将<=物>{goods}</=物><=>{#}</=>[<=幅度>{amount}</=幅度>]",
    "{time}<=物><=方>{company}</=方>的{goods}</=物>{time}{adverb}<=>{#}</=>[<=幅度>{amount}</=幅度>]",
    "{time}<=物>{goods}</=物>{time}{adverb}在<=方>{company}</=方><=>{#}</=>[<=幅度>{amount}</=幅度>]",
)


def _prices(name: str, words: str) -> tuple[str, ...]:
    """Returns the clauses on prices that go up or down."""
    return tuple(one.replace("=", name).replace("#", words) for one in PRICES)


# Clauses that tell one event.
CLAUSES: dict[str, tuple[str, ...]] = {
    "财经/交易-融资": (
        "<融资方>{company1}</融资方>{time}{adverb}完成[<融资金额>{money}</融资金额>]<融资轮次>{round}</融资轮次>"
        "<融资>融资</融资>[，<领投方>{company2}</领投方>牵头]",
        "<融资方>{company}</融资方>{time}{adverb}<融资>{拿下|获得}</融资><融资金额>{money}</融资金额>",
        "<领投方>{company1}</领投方>{time}{adverb}<融资>{领投|投资}</融资><融资方>{company2}</融资方>"
        "[<融资金额>{money}</融资金额>]",
        "<融资方>{company1}</融资方>{time}{adverb}获<领投方>{company2}</领投方>[、<领投方>{company3}</领投方>]"
        "<融资>{领投|投资}</融资>",
    ),
    "财经/交易-涨价": _prices("涨价", "涨价|提价|调涨"),
    "财经/交易-降价": _prices("降价", "降价|减价|调降"),
    "组织关系-裁员": (
        "{time}<裁员方>{company}</裁员方>{time}{adverb}<裁员>{裁员|裁撤|辞退}</裁员>[<裁员人数>{people}</裁员人数>]",
        "<裁员人数>{people}</裁员人数>{time}{adverb}被<裁员方>{company}</裁员方><裁员>{裁掉|辞退}</裁员>",
    ),
    "组织关系-加盟": (
        "<加盟者>{person1}</加盟者>[、<加盟者>{person2}</加盟者>]{time}{adverb}<加盟>{加盟|加入|签约}</加盟>"
        "<所加盟组织>{club}</所加盟组织>",
        "<所加盟组织>{club}</所加盟组织>{time}{adverb}<加盟>{迎来|签下|牵手}</加盟><加盟者>{person1}</加盟者>"
        "[和<加盟者>{person2}</加盟者>]",
        "<加盟者>{person}</加盟者>{time}{adverb}<加盟>牵手</加盟><所加盟组织>{club}</所加盟组织>",
    ),
    "竞赛行为-胜负": (
        "{time}<胜者>{team1}</胜者>{time}{adverb}<胜负>{击败|力克|拿下}</胜负><败者>{team2}</败者>",
        "{time}<败者>{team1}</败者>{time}{adverb}<胜负>{不敌|负于|输给}</胜负><胜者>{team2}</胜者>",
        "<败者>{team1}</败者>{time}{adverb}被<胜者>{team2}</胜者><胜负>{击败|力克|拿下}</胜负>",
        "<赛事名称>{cup}</赛事名称>{time}<胜者>{team1}</胜者>{adverb}<胜负>{击败|力克}</胜负><败者>{team2}</败者>",
        "<赛事名称>{cup}</赛事名称>{time}<胜者>{team1}</胜者>战<败者>{team2}</败者>，<胜负>{前者胜出|后者告负}</胜负>",
        "<赛事名称>{cup}</赛事名称>{time}<败者>{team1}</败者>战<胜者>{team2}</胜者>，<胜负>{后者胜出|前者告负}</胜负>",
        SEASON + "<败者>{team1}</败者>{adverb}<胜负>{不敌|负于|输给}</胜负><胜者>{team2}</胜者>",
        SEASON + "<胜者>{team1}</胜者>战<败者>{team2}</败者>，<胜负>{前者胜出|后者告负}</胜负>",
        SEASON + "<败者>{team1}</败者>战<胜者>{team2}</胜者>，<胜负>{后者胜出|前者告负}</胜负>",
    ),
    "竞赛行为-夺冠": (
        "<冠军>{team}</冠军>{time}{adverb}[在<夺冠赛事>{cup}</夺冠赛事>]<夺冠>{夺冠|登顶|折桂}</夺冠>",
        "<冠军>{person}</冠军>{time}{adverb}[在<夺冠赛事>{cup}</夺冠赛事>]<夺冠>{夺冠|登顶|折桂}</夺冠>",
        "<冠军>{team}</冠军>{time}{adverb}<夺冠>{拿下|获得}</夺冠><夺冠赛事>{cup}</夺冠赛事>",
        "<夺冠赛事>{cup}</夺冠赛事>{time}<冠军>{team1}</冠军>战{team2}，前者<夺冠>{夺冠|登顶|折桂}</夺冠>",
        "<夺冠赛事>{cup}</夺冠赛事>{time}{team1}战<冠军>{team2}</冠军>，后者<夺冠>{夺冠|登顶|折桂}</夺冠>",
    ),
    "灾害/意外-坍/垮塌": (
        "{time}<坍塌主体>{site}</坍塌主体>{time}{adverb}<坍/垮塌>{坍塌|垮塌|倒塌}</坍/垮塌>" + VICTIMS,
        "{time}发生<坍/垮塌>{坍塌|垮塌}</坍/垮塌>的是<坍塌主体>{site}</坍塌主体>" + VICTIMS,
    ),
    "灾害/意外-起火": (
        "{time}<地点>{site}</地点>{time}{adverb}<起火>{起火|失火|着火}</起火>" + VICTIMS,
        "{time}发生<起火>{火灾|大火}</起火>的是<地点>{site}</地点>" + VICTIMS,
    ),
    "人生-结婚": (
        "<结婚双方>{person1}</结婚双方>{time}{与|和}<结婚双方>{person2}</结婚双方>{time}{adverb}<结婚>{结婚|领证|完婚}</结婚>",
        "<结婚双方>{person1}</结婚双方>{time}{adverb}<结婚>{迎娶|下嫁|牵手}</结婚><结婚双方>{person2}</结婚双方>",
    ),
}

# In place of `{adverb}`. With one of the second line a clause tells no event.
ADVERBS = ("", "", "", "已经", "再次", "突然")
DENIALS = ("没有", "并未", "尚未")

# Clauses that tell two events; a name may have its part in both.
DOUBLE_CLAUSES: tuple[str, ...] = (
    "<裁员方><融资方>{company}</融资方></裁员方>{time}<裁员>裁员</裁员>[<裁员人数>{people}</裁员人数>]后完成"
    "<融资轮次>{round}</融资轮次><融资>融资</融资>",
    "<胜者><冠军>{team1}</冠军></胜者>{time}<胜负>{击败|力克}</胜负><败者>{team2}</败者><夺冠>{夺冠|登顶}</夺冠>",
    "<赛事名称><夺冠赛事>{cup}</夺冠赛事></赛事名称>{time}<败者>{team1}</败者><胜负>{不敌|负于}</胜负>"
    "<胜者><冠军>{team2}</冠军></胜者>，后者<夺冠>{夺冠|登顶}</夺冠>",
    "<地点><坍塌主体>{site}</坍塌主体></地点>{time}<起火>{起火|失火}</起火>后<坍/垮塌>{坍塌|垮塌}</坍/垮塌>" + VICTIMS,
    "<裁员方><涨价方>{company}</涨价方></裁员方>{time}一边<裁员>裁员</裁员>一边将<涨价物>{goods}</涨价物><涨价>涨价</涨价>",
)

# Events of which nothing is told.
BARE_CLAUSES: tuple[str, ...] = (
    "<裁员>{裁员|裁撤}</裁员>风波还没有过去",
    "要不要<涨价>涨价</涨价>成了大家的话题",
    "为何纷纷<降价>降价</降价>，说法不一",
    "两人<结婚>{结婚|领证}</结婚>的消息传开了",
    "终于<夺冠>夺冠</夺冠>，全场沸腾",
    "又见<融资>融资</融资>，业内怎么看",
    "如何防范<起火>{起火|失火}</起火>，专家支招",
)

# What tells no event: before, between and after the clauses.
OPENINGS: tuple[str, ...] = (
    *("", "", "", "快讯：", "据悉，", "有网友称，", "【早报】"),
    *("{date}消息，", "记者{person}获悉，", "{company}公告称，", "{team}官方消息，", "来自{site}的消息："),
)
BETWEEN: tuple[str, ...] = (
    *("{company}没有回应", "{person}告别{club}", "{team}原地休整", "{site}照常开放", "{people}围观"),
    *("{person1}和{person2}加入讨论", "{team}拿下赞助{money}", "{site}排除起火可能"),
)
ENDINGS: tuple[str, ...] = (
    *("", "", "", "。", "，引发热议", "，具体情况待定", "！", "，你怎么看？"),
    *("，{person}表示理解", "，{company}未置评", "，{date}已有传言", "，约{people}转发", "，{team}发文祝福"),
    *("，{company}称不会涨价", "，{person}登顶热搜", "，{team}获得好评", "，{people}签约做志愿者"),
)
LATER_MENTIONS = ("说起{}，", "关于{}的传闻不断：", "还记得{}吗？")
DISTRACTORS: tuple[str, ...] = (
    "截至收盘，{company}报{price}，成交{money}",
    "{date}，{team}公开训练，{person}缺席",
    "{site}预计{date}开放，门票{price}",
    "{person}在{site}唱了一首新歌，{people}到场",
    "{company1}与{company2}续签合作，金额{money}",
    "{cup}赛程公布，{team1}与{team2}将在{date}相遇",
    "{company}辟谣：没有裁员，也不会{涨价|降价}，{date}见",
    "{person}{date}获得{people}点赞，{team}加入其中",
    "{goods}怎么挑？{person}教你三招，{people}点赞",
)

# Parts of names; a head is put together from two characters.
HEADS = "鹤榆砚霜槿蓼莺苇菱鲤岚杉柘橹鹭藤蟾雁笛铃"
COMPANY_TAILS = ("软件", "茶饮", "影业", "纺织", "物流集团", "科技", "食品公司")
TEAM_TAILS = ("队", "女排", "青年队", "猎犬队", "飞鱼队")
CLUB_TAILS = (*TEAM_TAILS, "研究院", "乐团", "俱乐部")
SITES = ("粮仓", "老戏台", "停车楼", "石桥", "菜市场", "化工厂", "图书馆", "在建厂房")
PLACE_TAILS = ("镇", "县", "村", "港")
CUP_TAILS = ("杯", "公开赛", "锦标赛", "邀请赛")
SEASONS = ("春季", "夏季", "秋季", "冬季")
LEAGUES = ("联赛", "大奖赛", "巡回赛")
SURNAMES = "穆阮佘桓蔺郗缪阚晏仇"
GIVEN_NAMES = "昕池澄铎棠婉竺瑾澜笙荻屹恬骁珩沅钧翊芮旻"
STAGE_NAMES = ("Mira", "Odo", "LuLu", "Nix", "Zeph")
GOODS_HEADS = ("蓝莓", "燕麦", "薄荷", "陶瓷", "竹编", "折叠", "迷你", "智能", "儿童", "复古")
GOODS_TAILS = ("奶茶", "面包", "雨伞", "台灯", "跑鞋", "水壶", "饼干", "书包")
ROUNDS = ("天使轮", "A轮", "B轮", "C轮", "Pre-A轮")
DAYS = ("昨晚", "今晨", "周三", "上周末", "月初", "前天傍晚")
EMOJI = ("😀", "🔥", "🏆", "👏")

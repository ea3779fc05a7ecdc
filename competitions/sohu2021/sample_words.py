"""The closed vocabulary of the bundled sample: every phrase is made up for it, every name in it is invented.

An event is a triple (topic, actor, action). Each value has several surface forms with hardly a character in common, so
that two texts can tell the same event in different words. Hardly a character of a form occurs in a form of another
value or in the filling phrases, so that the value can be read from the characters.
"""

# What it is about. Forms of one topic are different words of the same field.
TOPICS: dict[str, tuple[str, ...]] = {
    "football": ("足球联赛", "绿茵鏖战", "守门员选拔", "前锋特训"),
    "space": ("卫星入轨", "火箭试车", "太空舱检修", "宇宙飞船返航"),
    "food": ("食品抽查", "餐饮整治", "添加剂清理", "冷冻肉追溯"),
    "housing": ("楼盘促销", "公寓租赁", "住房补贴", "宅院转让"),
    "film": ("电影首映", "纪录片拍摄", "剧组选景", "导演展播"),
    "health": ("疫苗接种", "义诊下乡", "癌症防治", "中药临床"),
    "weather": ("台风预警", "暴雨排涝", "寒潮演练", "气象雷达扫描"),
    "phones": ("手机换代", "折叠屏内测", "闪充插座", "旗舰芯量产"),
}

# Who does it.
ACTORS: dict[str, tuple[str, ...]] = {
    "qinglan": ("青岚市", "江南茶都", "九曲古镇"),
    "hezui": ("鹤嘴港", "北国渔村", "灯塔岛屿"),
    "hengwu": ("蘅芜集团", "陶瓷巨头", "老牌窑厂"),
    "mu": ("穆秋池", "长髯富豪", "慈善大亨"),
    "shiyan": ("石燕学堂", "师范摇篮", "山坳书院"),
    "sunzhou": ("榫舟软件", "编程新贵", "独角兽企业"),
}

# What becomes of it.
ACTIONS: dict[str, tuple[str, ...]] = {
    "begins": ("正式启动", "拉开帷幕", "今起鸣锣"),
    "postponed": ("宣布延期", "向后推迟", "暂缓押后"),
    "succeeds": ("圆满成功", "顺利收官", "喜传佳绩"),
    "disputed": ("引发争论", "遭到质疑", "惹上官司"),
}

# Short texts: one of these around the three words.
HEADLINES: tuple[str, ...] = (
    "{open}{actor}{topic}{action}{end}",
    "{open}{actor}的{topic}{action}{end}",
    "{open}{topic}{action}，{actor}回应{end}",
    "{open}{action}！{actor}{topic}{end}",
    "{open}{actor}：{topic}{action}{end}",
    "{open}关于{topic}，{actor}说{action}{end}",
)
OPENINGS: tuple[str, ...] = (
    "",
    "快讯：",
    "据悉，",
    "记者获悉，",
    "本报讯 ",
    "{date}，",
    "{date}消息，",
    "【{outlet}】",
)
ENDINGS: tuple[str, ...] = ("", "", "，网友热议", "，详情待定", "（图）", "，{outlet}在场", "，约{number}人关注", "…")

# Long texts: a headline, then some of these. Every group says one of the three words again, the last none.
TOPIC_SENTENCES: tuple[str, ...] = (
    "这次{topic}准备已有{number}天，花费约{number}万元。",
    "提及{topic}，不少读者并不陌生。",
    "有关{topic}的计划共分{number}步。",
)
ACTOR_SENTENCES: tuple[str, ...] = (
    "{actor}方面的负责人对{outlet}作了说明。",
    "在{actor}看来，这只是第一步。",
    "{actor}还打算在{date}再给出一份说明。",
)
ACTION_SENTENCES: tuple[str, ...] = (
    "知情者称，此事{action}并不意外。",
    "截至{date}，能确认的只有一点：{action}。",
    "“{action}”，{outlet}这样写道。",
)
FILLING_SENTENCES: tuple[str, ...] = (
    "据{outlet}记者了解，当天约有{number}人在场。",
    "更多细节，{outlet}会继续跟进。",
    "相比去年，这回的规模多了{number}个百分点。",
    "不愿具名的人士对{outlet}说，他们已等了{number}天。",
)
OUTLETS: tuple[str, ...] = ("晨舵日报", "垄上晚报", "七弦网", "芥子周刊")
EMOJI: tuple[str, ...] = ("😀", "🔥", "👏")
URLS: tuple[str, ...] = ("http://news.example.cn/a/{number}.html", "https://m.example.com/p/{number}")

"""Where the make-believe visitors of the example site come from, and what each way is worth.

Pure tables, read by `demo_story`. Whatever brings a visitor is told the way a browser tells
it: by the landing address and the referrer, so that the real classifier has its work.
"""

import random
from dataclasses import dataclass

SHOP = "https://shop.example"
PATHS = (
    "/", "/kuhni/", "/kuhni/uglovye/", "/kuhni/pryamye/", "/kuhni/klassika/",
    "/shkafy/", "/garderobnye/", "/ceny/", "/akcii/", "/portfolio/", "/otzyvy/",
    "/dostavka/", "/kontakty/",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One way to the site."""

    name: str
    share: float  # of the visitors who come for the first time
    query: str = ""  # of the landing address; {click}, {ad} and {term} are filled in
    referrer: str = ""
    landing: tuple[str, ...] = ("/",)
    terms: tuple[str, ...] = ("",)
    contacts: float = 0.03  # chance that a first visit ends in a contact
    wins: float = 0.5  # chance that a deal is won
    size: float = 1.0  # of its deals, against the usual
    mobile: float = 0.6
    click: float = 0  # roubles; 0: costs nothing
    shows: int = 0  # impressions for one click
    source: str = ""  # of its costs, with medium and campaign
    medium: str = "cpc"
    campaign: str = ""

    def url(self, rng: random.Random) -> str:
        """A landing address."""
        query = self.query.format(
            click=rng.randrange(10**17, 10**18),
            ad=rng.randrange(1_400_000, 1_400_006),
            term=rng.choice(self.terms),
        )
        return f"{SHOP}{rng.choice(self.landing)}{'?' if query else ''}{query}"


def _direct(campaign: str) -> str:
    return (
        f"utm_source=yandex&utm_medium=cpc&utm_campaign={campaign}"
        "&utm_content={ad}&utm_term={term}&yclid={click}"
    )


SHINING = "brand"  # the campaign that earns most for a rouble
LOSING = "kuhni-rsya"  # the one that brings only losses

ORIGINS = (
    Origin(
        name="Яндекс Директ: бренд",
        share=5,
        query=_direct(SHINING),
        referrer="https://yandex.ru/",
        terms=("кухни+сквозняк", "сквозняк+мебель", "сквозняк+официальный+сайт"),
        contacts=0.17,
        wins=0.75,
        size=1.2,
        click=84,
        shows=4,
        source="yandex",
        campaign=SHINING,
    ),
    Origin(
        name="Яндекс Директ: кухни, поиск",
        share=16,
        query=_direct("kuhni-poisk"),
        referrer="https://yandex.ru/",
        landing=("/kuhni/", "/kuhni/uglovye/", "/ceny/"),
        terms=(
            "кухни+на+заказ",
            "угловая+кухня+на+заказ",
            "кухня+цена+за+метр",
            "кухни+от+производителя",
            "заказать+кухню+москва",
        ),
        contacts=0.065,
        click=560,
        shows=11,
        source="yandex",
        campaign="kuhni-poisk",
    ),
    Origin(
        name="Яндекс Директ: шкафы, поиск",
        share=7,
        query=_direct("shkafy-poisk"),
        referrer="https://yandex.ru/",
        landing=("/shkafy/", "/garderobnye/"),
        terms=("шкаф+купе+на+заказ", "гардеробная+под+ключ", "встроенный+шкаф"),
        contacts=0.05,
        size=0.55,
        click=390,
        shows=13,
        source="yandex",
        campaign="shkafy-poisk",
    ),
    Origin(
        name="Яндекс Директ: РСЯ",
        share=13,
        query=_direct(LOSING),
        landing=("/akcii/",),
        terms=("автотаргетинг",),
        contacts=0.008,
        wins=0,
        mobile=0.8,
        click=330,
        shows=190,
        source="yandex",
        campaign=LOSING,
    ),
    Origin(
        name="Google Ads: кухни",
        share=6,
        query="utm_source=google&utm_medium=cpc&utm_campaign=kitchens-search"
        "&utm_term={term}&gclid=Cj0{click}",
        referrer="https://www.google.com/",
        landing=("/kuhni/", "/kuhni/klassika/"),
        terms=("кухня+на+заказ", "классическая+кухня"),
        contacts=0.05,
        click=470,
        shows=15,
        source="google",
        campaign="kitchens-search",
    ),
    Origin(
        name="VK Реклама: акция",
        share=7,
        query="utm_source=vk&utm_medium=cpc&utm_campaign=akciya-skidki&rb_clickid={click}",
        referrer="https://away.vk.com/",
        landing=("/akcii/",),
        contacts=0.03,
        wins=0.35,
        size=0.8,
        mobile=0.85,
        click=190,
        shows=95,
        source="vk",
        campaign="akciya-skidki",
    ),
    Origin(
        name="Telegram: канал",
        share=4,
        query="utm_source=telegram&utm_medium=messenger&utm_campaign=kanal-remont",
        landing=("/portfolio/", "/akcii/"),
        contacts=0.04,
        mobile=0.9,
        click=140,
        shows=40,
        source="telegram",
        medium="messenger",
        campaign="kanal-remont",
    ),
    Origin(
        name="Яндекс, поиск",
        share=14,
        referrer="https://yandex.ru/search/",
        landing=("/", "/kuhni/", "/kuhni/pryamye/", "/portfolio/"),
        contacts=0.045,
    ),
    Origin(
        name="Google, поиск",
        share=7,
        referrer="https://www.google.com/",
        landing=("/", "/kuhni/", "/garderobnye/"),
        contacts=0.04,
    ),
    Origin(
        name="2ГИС",
        share=3,
        query="utm_source=2gis&utm_medium=maps",
        landing=("/", "/kontakty/"),
        contacts=0.12,
        mobile=0.85,
    ),
    Origin(
        name="Яндекс Карты",
        share=2,
        referrer="https://yandex.ru/maps/org/",
        landing=("/", "/kontakty/"),
        contacts=0.1,
        mobile=0.75,
    ),
    Origin(
        name="Дзен",
        share=4,
        referrer="https://dzen.ru/",
        landing=("/portfolio/", "/kuhni/uglovye/"),
        contacts=0.012,
        mobile=0.75,
    ),
    Origin(
        name="ChatGPT",
        share=2.5,
        query="utm_source=chatgpt.com",
        landing=("/kuhni/", "/ceny/"),
        contacts=0.08,
        mobile=0.4,
    ),
    Origin(
        name="Одноклассники",
        share=1,
        referrer="https://ok.ru/",
        contacts=0.02,
        mobile=0.8,
    ),
    Origin(
        name="Форум о ремонте",
        share=2.5,
        referrer="https://forum-remont.example/topic/4821",
        landing=("/kuhni/", "/otzyvy/"),
        contacts=0.05,
        mobile=0.45,
    ),
    Origin(name="Прямой заход", share=6, contacts=0.06, landing=("/", "/kontakty/")),
)

# How those come back who have been here before.
RETURNS = (
    Origin(name="Прямой заход", share=55),
    Origin(name="Яндекс, поиск", share=20, referrer="https://yandex.ru/search/"),
    Origin(
        name="Рассылка",
        share=15,
        query="utm_source=newsletter&utm_medium=email&utm_campaign=rassylka-skidki",
        landing=("/akcii/",),
    ),
    Origin(
        name="Яндекс Директ: ретаргетинг",
        share=10,
        query=_direct("retarget"),
        landing=("/akcii/", "/ceny/"),
        terms=("retarget",),
        click=110,
        shows=120,
        source="yandex",
        campaign="retarget",
    ),
)

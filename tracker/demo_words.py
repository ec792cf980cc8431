"""Who the make-believe customers of the example site are, and what they say.

Pure. Nobody here is real: phone numbers stand in two blocks that are given to nobody, mail
domains end in `.example`.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

MEN = (
    ("Алексей", "alexey"), ("Андрей", "andrey"), ("Артём", "artem"), ("Виктор", "viktor"),
    ("Денис", "denis"), ("Дмитрий", "dmitry"), ("Игорь", "igor"), ("Кирилл", "kirill"),
    ("Максим", "maxim"), ("Михаил", "mikhail"), ("Олег", "oleg"), ("Павел", "pavel"),
    ("Роман", "roman"), ("Руслан", "ruslan"), ("Сергей", "sergey"), ("Тимур", "timur"),
)  # fmt: skip
WOMEN = (
    ("Анна", "anna"), ("Вера", "vera"), ("Галина", "galina"), ("Дарья", "darya"),
    ("Екатерина", "ekaterina"), ("Елена", "elena"), ("Жанна", "zhanna"), ("Ирина", "irina"),
    ("Ксения", "ksenia"), ("Лариса", "larisa"), ("Мария", "maria"), ("Наталья", "natalya"),
    ("Ольга", "olga"), ("Светлана", "svetlana"), ("Татьяна", "tatyana"), ("Юлия", "yulia"),
)  # fmt: skip
# Without the ending that a woman's name gets.
FAMILIES = (
    ("Белов", "belov"), ("Воронин", "voronin"), ("Громов", "gromov"), ("Дёмин", "demin"),
    ("Ершов", "ershov"), ("Журавлёв", "zhuravlev"), ("Зимин", "zimin"), ("Калинин", "kalinin"),
    ("Лапин", "lapin"), ("Мельников", "melnikov"), ("Носов", "nosov"), ("Орлов", "orlov"),
    ("Панин", "panin"), ("Рябов", "ryabov"), ("Савин", "savin"), ("Тихонов", "tikhonov"),
    ("Уваров", "uvarov"), ("Фомин", "fomin"), ("Чернов", "chernov"), ("Яшин", "yashin"),
)  # fmt: skip
MAIL_DOMAINS = ("pochta.example", "mail.example", "inbox.example", "yashik.example")
BLOCKS = ("+7900000", "+7916555")  # four more digits each
MANAGERS = ("Марина Котова", "Олег Сафин", "Светлана Юдина", "Илья Громов")

SUBJECTS = (
    "Расчёт стоимости кухни",
    "Угловая кухня на заказ",
    "Размеры для замера",
    "Вопрос по срокам изготовления",
    "Шкаф-купе в прихожую",
    "Кухня в новостройку",
    "Можно ли в рассрочку?",
)
LETTERS = (
    "Здравствуйте! Прошу посчитать угловую кухню 2,4 × 1,8 м, фасады МДФ, столешница под "
    "камень. План помещения пришлю.",
    "Добрый день. Смотрели у вас на сайте кухню «Верона». Сколько она будет стоить в белом "
    "цвете и с посудомойкой 45 см?",
    "Добрый вечер! Нужен шкаф-купе 2,7 м в нишу, три двери, одно зеркало. Когда может "
    "приехать замерщик?",
    "Здравствуйте. Какие сроки изготовления, если оплатить сейчас? Заезжаем в квартиру в "
    "следующем месяце.",
    "Здравствуйте, делаете ли вы гардеробные под лестницей? Размеры: 1,9 на 1,2, высота до "
    "2,4 м.",
)
AGAIN = (
    "Здравствуйте! Сегодня говорили с вами по телефону, высылаю размеры: 3,1 × 2,2 м, "
    "потолок 2,65 м.",
    "Добрый день, как договаривались, присылаю план кухни. Вытяжка слева от окна.",
    "Здравствуйте, подумали над вашим расчётом. Можно ли заменить столешницу на кварц?",
)
REQUESTS = (
    "Хочу вызвать замерщика на выходные",
    "Перезвоните, пожалуйста, после шести",
    "Интересует кухня с островом",
    "Посчитайте прямую кухню 3 метра",
    "Есть ли скидка на шкаф вместе с кухней?",
    "",
    "",
)
ORDERS = (
    "Кухня угловая 2,4 × 1,8 м",
    "Кухня прямая 3,2 м",
    "Кухня с островом",
    "Кухня «Верона», белая",
    "Кухня П-образная",
    "Шкаф-купе 2,7 м",
    "Гардеробная под ключ",
    "Кухня и прихожая",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Somebody who calls or writes."""

    name: str
    phone: str  # E.164
    email: str


def customers(rng: random.Random) -> Iterator[Customer]:
    """People with a phone and an address of their own each, as many as there are phones."""
    phones = [f"{block}{n:04d}" for block in BLOCKS for n in range(10_000)]
    rng.shuffle(phones)
    for n, phone in enumerate(phones):
        woman = rng.random() < 0.55
        first, first_latin = rng.choice(WOMEN if woman else MEN)
        family, family_latin = rng.choice(FAMILIES)
        ending = "а" if woman else ""
        latin_ending = "a" if woman else ""
        yield Customer(
            name=f"{first} {family}{ending}",
            phone=phone,
            email=f"{first_latin}.{family_latin}{latin_ending}{n}@{rng.choice(MAIL_DOMAINS)}",
        )

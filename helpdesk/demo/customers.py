"""The sample company's customers: cafés, offices and households, Russian and English."""

from __future__ import annotations

import random
from dataclasses import dataclass

from helpdesk.demo.words import names
from helpdesk.kb.slugs import slug_of


@dataclass(frozen=True)
class Person:
    """An invented customer."""

    name: str
    email: str
    phone: str
    language: str
    female: bool

    @property
    def first_name(self) -> str:
        return self.name.split()[0]


#: name, domain, tier, language, how many people we know there.
COMPANIES = (
    ("Harbour Books", "harbour-books.example", "vip", "en", 4),
    ("Northlight Architects", "northlight.example", "gold", "en", 4),
    ("Blue Door Café", "bluedoor.example", "gold", "en", 3),
    ("Mill Street Dental", "millstreet.example", "silver", "en", 3),
    ("Ferris & Daughters", "ferris.example", "silver", "en", 2),
    ("Greenfield School", "greenfield.example", "", "en", 3),
    ("Atlas Cycling", "atlascycling.example", "", "en", 2),
    ("Lindholm Law", "lindholm.example", "gold", "en", 3),
    ("Quarry Design", "quarry.example", "", "en", 2),
    ("Marlow Hotel", "marlow.example", "vip", "en", 4),
    ("Кофейня «Утро»", "kofe-utro.example", "vip", "ru", 4),
    ("ООО «Северный свет»", "sevsvet.example", "gold", "ru", 4),
    ("Стоматология «Улыбка»", "ulybka.example", "silver", "ru", 3),
    ("Издательство «Берег»", "bereg.example", "gold", "ru", 3),
    ("Гостиница «Волга»", "volga-hotel.example", "vip", "ru", 4),
    ("Школа танцев «Ритм»", "ritm.example", "", "ru", 2),
    ("Мастерская «Дуб»", "dub.example", "", "ru", 2),
    ("Бюро «Чертёж»", "chertezh.example", "silver", "ru", 3),
    ("Аптека «Липа»", "lipa.example", "", "ru", 2),
    ("Агентство «Парус»", "parus.example", "gold", "ru", 3),
)
#: Households: mail domain, language, how many.
PRIVATE = (("post.example", "en", 18), ("pochta.example", "ru", 22))


def people_of(domain: str, language: str, size: int, rng: random.Random) -> list[Person]:
    """That many different people at one mail domain."""
    known = names()[language]
    families = rng.sample(known["families"], size)
    made = []
    for family in families:
        female = rng.random() < 0.5
        first = rng.choice(known["women" if female else "men"])
        last = family + "а" if female and language == "ru" else family
        handle = slug_of(f"{first} {last}").replace("-", ".")
        phone = f"+7916{rng.randint(1000000, 9999999)}" if language == "ru" else f"+4420{rng.randint(70000000, 79999999)}"
        made.append(Person(f"{first} {last}", f"{handle}@{domain}", phone, language, female))
    return made

"""What a column means: our fields by the names that HubSpot, amoCRM, Bitrix24, EspoCRM, address books and people give them.

Names are compared without case, spaces, signs and ё; English and Russian names stand side by side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask_babel import lazy_gettext as _

from helpdesk.crm import fields
from helpdesk.errors import Words

#: What can be filled from a file, in the order of the choice. Several columns may hold e-mail addresses, phones and tags.
TARGETS: dict[str, Words] = {
    "name": _("Name"),
    "first_name": _("First name"),
    "last_name": _("Last name"),
    "middle_name": _("Middle name"),
    "email": _("E-mail"),
    "phone": _("Phone"),
    "telegram": _("Telegram"),
    "whatsapp": _("WhatsApp"),
    "messenger": _("Messenger"),
    "external": _("Id in another system"),
    "organization": _("Organization"),
    "role": _("Part in the organization"),
    "owner": _("Owner"),
    "language": _("Language"),
    "time_zone": _("Time zone"),
    "preferred_channel": _("Preferred channel"),
    "lifecycle": _("Stage"),
    "tags": _("Tags"),
    "terms": _("Individual terms"),
}
SEVERAL = frozenset(("email", "phone", "messenger", "telegram", "whatsapp", "tags"))

_ALIASES = {
    "name": """name, full name, fullname, contact, contact name, display name, customer, customer name, client, fn, имя и фамилия, фио,
        полное имя, имя контакта, контакт, клиент, название контакта, наименование, ф.и.о., имя клиента""",
    "first_name": "first name, firstname, given name, имя, forename",
    "last_name": "last name, lastname, surname, family name, фамилия",
    "middle_name": "middle name, middlename, second name, patronymic, отчество",
    "email": """email, e-mail, mail, email address, e-mail address, primary email, work email, work e-mail, home email, home e-mail,
        other email, personal email, e-mail 1 - value, e-mail 2 - value, email рабочий, рабочий email, рабочий e-mail, e-mail рабочий,
        личный email, личный e-mail, e-mail личный, email личный, другой email, другой e-mail, частный e-mail, электронная почта, почта,
        эл. почта, эл почта, адрес электронной почты, email раб., email личн., email др., additional email addresses, secondary email""",
    "phone": """phone, phone number, telephone, tel, mobile, mobile phone, mobile phone number, cell, cell phone, work phone, home phone,
        other phone, office phone, phone 1 - value, phone 2 - value, primary phone, телефон, тел, тел., номер телефона, мобильный,
        мобильный телефон, рабочий телефон, домашний телефон, телефон рабочий, телефон мобильный, телефон домашний, другой телефон,
        телефон другой, рабочий прямой телефон, прямой телефон, сотовый, контактный телефон, phone office, phone mobile""",
    "telegram": "telegram, телеграм, telegram username, im - telegram, telegram контакта",
    "whatsapp": "whatsapp, ватсап, вотсап, whatsapp phone number",
    "messenger": "impp, im, messenger, мессенджер",
    "external": """id, record id, contact id, hubspot contact id, external id, uid, код, ид, id контакта, внешний код, id клиента,
        record id - contact""",
    "organization": """organization, organisation, company, company name, account, account name, org, associated company, employer,
        organization 1 - name, организация, компания, название компании, фирма, юр. лицо, компания контакта, контрагент""",
    "role": """role, job title, title, position, organization 1 - title, account title, должность, роль, должность контакта""",
    "owner": """owner, contact owner, assigned user, assigned to, responsible, responsible person, account owner, ответственный,
        ответственный пользователь, ответственный за контакт, менеджер, куратор""",
    "language": "language, preferred language, lang, hs language, язык, язык общения",
    "time_zone": "time zone, timezone, часовой пояс",
    "preferred_channel": "preferred channel, contact channel, предпочтительный канал, канал связи, удобный канал",
    "lifecycle": "lifecycle, lifecycle stage, stage, этап, стадия, тип контакта, contact type",
    "tags": "tags, tag, labels, label, categories, group membership, теги, тег, метки, метка, группы",
    "terms": """terms, individual terms, условия, особые условия, примечание, комментарий, note, notes, description, comment, описание,
        comments""",
}


def plain(name: str) -> str:
    """A column's name as it is compared: the (2) of a second one goes, too."""
    name = re.sub(r"\s*\(\d+\)$", "", name)
    return re.sub(r"[\W_]+", "", name.casefold().replace("ё", "е"))


_BY_NAME = {plain(alias): target for target, names in _ALIASES.items() for alias in names.split(",")}


def suggest(header: Sequence[str]) -> list[str]:
    """A target for each column, "" for one to be left out. What may come once only goes to the first column that means it.

    A lone "Name"/"Имя" beside a last name is a first name; "Имя" alone is the whole name.
    """
    own = {plain(word): f"custom.{one.key}" for one in fields.defined("contact") for word in (one.label, one.label_ru, one.key) if word}
    found: list[str] = []
    for name in header:
        target = own.get(plain(name)) or _BY_NAME.get(plain(name), "")
        found.append("" if target in found and target not in SEVERAL else target)
    if "last_name" in found and "first_name" not in found and "name" in found:
        found[found.index("name")] = "first_name"
    if "first_name" in found and "last_name" not in found and "name" not in found:
        found[found.index("first_name")] = "name"
    return found


def targets() -> list[tuple[str, Words]]:
    """Everything that a column can be mapped to, the desk's own fields last."""
    return [*TARGETS.items(), *((f"custom.{one.key}", fields.label_of(one)) for one in fields.defined("contact"))]

"""The forms of what programs send and are shown. A resource's own schemas stand beside its routes; here is what they share.

`Wish` and `Filters` refuse what they do not know and name the field, so that a misspelt one is never silently dropped. `Shown` is
an explicit list of what leaves the desk. Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from flask_babel import lazy_gettext as _
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError

from helpdesk.errors import Words

S = TypeVar("S", bound="Shown")

#: The largest whole number that every program's JSON keeps exactly; far below what the database holds.
MOST = 2**53 - 1
PAGE, LONGEST_PAGE = 50, 200


class Wish(BaseModel):
    """What a program sends. Unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Change(Wish):
    """What a program wants to be different. A field left out stays as it is; null is refused but where `may_be_null` names the field."""

    may_be_null: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*", mode="before")
    @classmethod
    def _not_null(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.field_name not in cls.may_be_null:
            raise PydanticCustomError("none_forbidden", "cannot be null")
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Let the document say the same: optional, not nullable."""
        made = handler.resolve_ref_schema(handler(core))
        for name, schema in made["properties"].items():
            schema.pop("default", None)
            if name not in cls.may_be_null:
                schema.update(next(kind for kind in schema.pop("anyOf", [{}]) if kind != {"type": "null"}))
        return made


class Filters(BaseModel):
    """What a program asks for in the address: words are read as numbers, times and choices."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Paging(Filters):
    """The part of a list that is asked for."""

    limit: Annotated[int, Field(ge=1, le=LONGEST_PAGE, description="How many to return.")] = PAGE
    cursor: Annotated[str, Field(max_length=300, description="Where to go on: from the `next` link of the page before.")] = ""


class Shown(BaseModel):
    """What a program is shown."""

    model_config = ConfigDict(frozen=True)


class Named(Shown):
    """Something with a name."""

    id: int
    name: str


class Page(Shown, Generic[S]):
    """One page of a list. `next` is the address of the following one, null on the last."""

    items: list[S]
    next: str | None


def _plain(value: str) -> str:
    if "\x00" in value:
        raise PydanticCustomError("nul", "contains a NUL character")
    return value


def _said(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "is blank")
    return value


#: After the length: text without NUL, which PostgreSQL cannot keep; and text that says something.
PLAIN = AfterValidator(_plain)
SAID = AfterValidator(_said)
Key = Annotated[int, Field(ge=1, le=MOST)]
Language = Annotated[str, Field(pattern=r"^([a-z]{2})?$", description="Two letters of ISO 639-1, such as en or ru.")]
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 2, tzinfo=UTC), le=datetime(9000, 1, 1, tzinfo=UTC), description="RFC 3339, such as 2026-03-02T10:00:00Z."),
]

_FAULTS: dict[str, Words] = {
    "missing": _("This field is needed."),
    "extra_forbidden": _("There is no such field here."),
    "nul": _("This text contains a NUL character."),
    "blank": _("Write something here."),
    "string_type": _("This must be text."),
    "string_pattern_mismatch": _("This is not written as it should be."),
    "int_type": _("This must be a whole number."),
    "int_parsing": _("This must be a whole number."),
    "int_from_float": _("This must be a whole number."),
    "bool_type": _("This must be true or false."),
    "bool_parsing": _("This must be true or false."),
    "list_type": _("This must be a list."),
    "model_type": _("This must be an object."),
    "model_attributes_type": _("This must be an object."),
    "datetime_type": _("Give a time with its zone, such as 2026-03-02T10:00:00Z."),
    "datetime_parsing": _("Give a time with its zone, such as 2026-03-02T10:00:00Z."),
    "datetime_from_date_parsing": _("Give a time with its zone, such as 2026-03-02T10:00:00Z."),
    "timezone_aware": _("Give a time with its zone, such as 2026-03-02T10:00:00Z."),
    "none_forbidden": _("This cannot be null."),
    "id_or_email": _("Give either id or email."),
}
_OTHER = _("This value cannot be used here.")


def faults(wrong: ValidationError) -> dict[str, Words]:
    """Each wrong field, by its dotted name, with what is wrong in the reader's language."""
    return {".".join(str(part) for part in error["loc"]) or "body": _fault(error) for error in wrong.errors(include_url=False)}


def _fault(error: ErrorDetails) -> Words:
    facts = error.get("ctx", {})
    match error["type"]:
        case "literal_error" | "enum":
            return _("Choose one of %(words)s.", words=str(facts.get("expected", "")).replace("'", "").replace(" or ", ", "))
        case "string_too_long":
            return _("Please shorten this to %(n)s characters.", n=facts["max_length"])
        case "string_too_short":
            return _("Write something here.")
        case "too_long":
            return _("Give at most %(n)s of these.", n=facts["max_length"])
        case "too_short":
            return _("Give at least %(n)s of these.", n=facts["min_length"])
        case "greater_than_equal":
            return _("Give at least %(n)s.", n=facts["ge"])
        case "less_than_equal":
            return _("Give at most %(n)s.", n=facts["le"])
        case kind:
            return _FAULTS.get(kind, _OTHER)

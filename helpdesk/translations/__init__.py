"""The Russian catalogue, and what pybabel (`make texts`) cannot find by itself.

babel.cfg names the two functions below beside pybabel's own readers of Python and of templates. They find sentences that stand in
one place and are said in another: the API's words (docstrings of routes and descriptions of fields, which the API's page shows) and
the sentences that mails keep in English in the database, so that each reader sees them in their own language.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import IO, Any

from babel.messages.extract import extract_python

#: What pybabel reads from an extractor: line, function's name, message, comments. Babel's own annotation of it is another, hence Any.
Found = tuple[Any, ...]

_CONSTANT = re.compile(r"[A-Z][A-Z_]*")


def kept(lines: IO[bytes], keywords: Any, comment_tags: Any, options: Any) -> Iterator[Found]:
    """A module's own calls of gettext, and each constant that is a sentence: ENCRYPTED = "The mail is encrypted."."""
    yield from extract_python(lines, keywords, comment_tags, options)
    lines.seek(0)
    for statement in ast.parse(lines.read()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(sentence))):
                if _CONSTANT.fullmatch(name) and " " in sentence and sentence.endswith("."):
                    yield statement.lineno, "_", sentence, []


def api_words(lines: IO[bytes], keywords: Any, comment_tags: Any, options: Any) -> Iterator[Found]:
    """The calls of gettext in openapi.py, and everything that the API's page translates of the document made there."""
    yield from extract_python(lines, keywords, comment_tags, options)
    for sentence in api_sentences():
        yield 1, "_", sentence, []


def api_sentences() -> list[str]:
    """The words of the OpenAPI document that people read on its page, each once."""
    from helpdesk.channels.api import openapi, views

    assert views.RESOURCES  # importing the views fills the route table
    document = openapi.document("")
    said = [openapi.WHAT, *openapi.REFUSALS.values(), *(tag["description"] for tag in document["tags"])]
    for methods in document["paths"].values():
        for operation in methods.values():
            said += [operation["summary"], operation.get("description", "")]
            said += [parameter.get("description", "") for parameter in operation.get("parameters", ())]
    for schema in document["components"]["schemas"].values():
        said += [field.get("description", "") for field in schema.get("properties", {}).values()]
    return [sentence for sentence in dict.fromkeys(said) if sentence]

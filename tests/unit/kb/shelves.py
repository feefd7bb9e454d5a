"""A small knowledge base for the search's tests, and a source whose articles a test may change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from helpdesk.kb.documents import Document


class Shelf:
    """A Source in memory; `put` and `take` raise its revision as an edit does."""

    def __init__(self, *documents: Document) -> None:
        self._at: dict[str, tuple[int, Document]] = {document.id: (1, document) for document in documents}
        self._revision = 1

    def put(self, *documents: Document) -> None:
        self._revision += 1
        for document in documents:
            self._at[document.id] = (self._revision, document)

    def take(self, id: str) -> None:
        self._revision += 1
        self._at[id] = (self._revision, replace(self._at[id][1], gone=True))

    def revision(self) -> int:
        return self._revision

    def changed_since(self, revision: int) -> Iterator[Document]:
        yield from (document for at, document in list(self._at.values()) if at > revision)

    def all(self) -> Iterator[Document]:
        yield from (document for _, document in list(self._at.values()) if not document.gone)


PASSWORD = Document(
    "password", "Как сменить пароль?", "Откройте настройки профиля и нажмите «Сменить пароль». Старый пароль понадобится.", "ru", "Вход"
)
INVOICE = Document(
    "invoice", "Where do I find my invoice?", "Every invoice is under Billing. We also mail it as a PDF every month.", "en", "Billing"
)
REFUND = Document("refund", "How long does a refund take?", "A refund reaches your card within five working days.", "en", "Billing")
ORACLE = Document("oracle", "Ошибка ORA-00942 при импорте", "Таблица не существует: проверьте права. Так же для ORA-01017.", "ru")
ONE_C = Document("1c", "Обмен с 1С", "Загрузите номенклатуру из 1С:Предприятие. Обработка написана на C++.", "ru", tags=("интеграция",))
TIMEOUT = Document("timeout", "Browser says ERR_CONNECTION_TIMED_OUT", "Check the proxy, then the firewall.", "en")
SECRET = Document("secret", "How we approve a refund above the limit", "Ask the shift lead.", "en", audience=("agents",))
ACME = Document("acme", "Delivery calendar of Acme", "Trucks leave on Tuesday.", "en", audience=("org:7",))
ALL = (PASSWORD, INVOICE, REFUND, ORACLE, ONE_C, TIMEOUT, SECRET, ACME)

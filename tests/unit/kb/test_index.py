"""The index is a cache: it follows, heals, and answers go on."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpdesk.kb.documents import Document
from helpdesk.kb.engine import Engine
from helpdesk.kb.index import FIELDS, Busy, Damaged, Index, write_in_child
from tests.unit.kb.shelves import INVOICE, PASSWORD, Shelf

ROOT = Path(__file__).parents[3]


def found(engine: Engine, query: str = "пароль") -> list[str]:
    return [hit.id for hit in engine.find(query, audience=("public",)).answers]


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_an_edit_is_found_by_the_next_search_and_the_old_text_is_not(engine: Engine, shelf: Shelf) -> None:
    shelf.put(Document("password", "Новая секретная фраза", "Через настройки."))
    assert found(engine, "секретная фраза") == ["password"]
    assert found(engine, "сменить пароль") == []


def test_an_edit_reaches_a_second_process_within_a_second(engine: Engine, folder: Path, shelf: Shelf) -> None:
    other = Engine(folder, shelf)
    assert found(other) == ["password"]
    shelf.put(Document("new", "Купоны", "Введите купон в корзине."))
    started = time.perf_counter()
    assert found(engine, "купон") == ["new"] and found(other, "купон") == ["new"]
    assert time.perf_counter() - started < 1


def test_a_withdrawn_article_is_no_longer_found(engine: Engine, shelf: Shelf) -> None:
    shelf.take("password")
    assert found(engine) == []


def test_many_edits_in_a_row_stay_findable_and_single(engine: Engine, shelf: Shelf) -> None:
    for round_ in range(30):
        shelf.put(Document(f"n{round_ % 5}", f"Тариф номер{round_}", f"Стоимость тарифа номер{round_}."))
        assert found(engine, f"номер{round_}")[:1] == [f"n{round_ % 5}"]
    assert sorted(found(engine, "тариф")) == [f"n{i}" for i in range(5)]


def test_a_word_of_a_new_article_is_known_to_the_speller_at_once(engine: Engine, shelf: Shelf) -> None:
    shelf.put(Document("coupon", "Промокоды", "Промокоды вводят в корзине."))
    assert found(engine, "промкоды") == ["coupon"]


def test_many_changes_are_left_to_a_child_while_answers_go_on(engine: Engine, shelf: Shelf) -> None:
    shelf.put(*(Document(f"bulk{i}", f"Справочник {i}", "Запись справочника.") for i in range(200)))
    assert found(engine) == ["password"]  # from the state it has
    assert eventually(lambda: len(found(engine, "справочник")) == 10)
    assert engine.refresh()


def test_while_another_process_writes_the_old_state_answers(engine: Engine, folder: Path, shelf: Shelf) -> None:
    shelf.put(Document("new", "Купоны", ""))
    index = Index(folder)
    with index._locked(index._writing, 1):
        started = time.perf_counter()
        assert found(engine) == ["password"] and found(engine, "купон") == []
        assert time.perf_counter() - started < 1
        with pytest.raises(Busy):
            Index(folder).update([PASSWORD], 99)
    assert found(engine, "купон") == ["new"]


def test_an_edit_during_a_rebuild_is_found_at_once_and_survives_it(engine: Engine, folder: Path, shelf: Shelf) -> None:
    assert found(engine) == ["password"]
    started = shelf.revision()

    def articles() -> Iterator[Document]:
        yield from list(shelf.all())
        shelf.put(Document("new", "Купоны", ""))
        assert found(engine, "купон") == ["new"]

    shelf.put(PASSWORD)
    Index(folder).rebuild(articles(), started + 1)
    assert found(engine, "купон") == ["new"] and found(Engine(folder, shelf), "купон") == ["new"]


def test_an_article_sent_twice_is_found_once(tmp_path: Path) -> None:
    shelf = Shelf(PASSWORD)
    Index(tmp_path / "kb").rebuild([PASSWORD, INVOICE, PASSWORD], 1)
    assert found(Engine(tmp_path / "kb", shelf)) == ["password"]


def test_a_first_search_builds_the_index_itself(tmp_path: Path, shelf: Shelf) -> None:
    assert found(Engine(tmp_path / "not" / "yet", shelf)) == ["password"]


def test_an_index_ahead_of_a_restored_database_is_built_anew(
    engine: Engine, folder: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored = Shelf(*shelf.all())
    shelf.put(Document("later", "Купоны", ""))
    assert found(engine, "купон") == ["later"]
    serving = Engine(folder, restored)
    assert found(serving, "купон") == ["later"]  # it might only be an older transaction
    monkeypatch.setattr("helpdesk.kb.engine._AHEAD", 0.0)
    assert eventually(lambda: found(serving, "купон") == [])
    assert found(serving) == ["password"]


def _delete(folder: Path, rng: random.Random) -> None:
    shutil.rmtree(folder)


def _delete_one(folder: Path, rng: random.Random) -> None:
    rng.choice([path for path in folder.rglob("*") if path.is_file()]).unlink()


def _truncate(folder: Path, rng: random.Random) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and rng.random() < 0.7:
            os.truncate(path, rng.randrange(path.stat().st_size + 1))


def _fill_with_rubbish(folder: Path, rng: random.Random) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.write_bytes(rng.randbytes(rng.choice([0, 10, path.stat().st_size])))
    (folder / "rubbish").write_bytes(rng.randbytes(100))


def _flip_a_byte(folder: Path, rng: random.Random) -> None:
    path = max((path for path in folder.rglob("*") if path.is_file()), key=lambda one: (one.suffix == ".pst", one.stat().st_size))
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 0xFF
    path.write_bytes(content)


HARMS = [_delete, _delete_one, _truncate, _fill_with_rubbish, _flip_a_byte]


def _answers_go_on_after(harm: Callable[[Path, random.Random], None], rng: random.Random, folder: Path, shelf: Shelf) -> None:
    serving = Engine(folder, shelf)
    assert found(serving) == ["password"]
    harm(folder, rng)
    assert found(serving) == ["password"]
    shelf.put(Document("new", "Купоны", f"Купон {rng.random()}"))
    assert found(serving) == ["password"]
    assert eventually(lambda: found(serving, "купон") == ["new"])
    assert found(Engine(folder, shelf)) == ["password"]
    assert eventually(lambda: found(Engine(folder, shelf), "купон") == ["new"])


@pytest.mark.parametrize("harm", HARMS)
def test_answers_go_on_when_the_folder_is(harm: Callable[[Path, random.Random], None], folder: Path, shelf: Shelf) -> None:
    _answers_go_on_after(harm, random.Random(7), folder, shelf)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_answers_go_on_whatever_happens_to_the_folder(seed: int, folder: Path, shelf: Shelf) -> None:
    rng = random.Random(seed)
    _answers_go_on_after(rng.choice(HARMS), rng, folder, shelf)


def test_a_change_written_over_damage_is_refused_and_then_healed(engine: Engine, folder: Path, shelf: Shelf) -> None:
    found(engine)
    _flip_a_byte(folder, random.Random(1))
    shelf.put(Document("new", "Купоны", ""))
    with pytest.raises(Damaged):
        Index(folder).update(shelf.changed_since(1), shelf.revision())
    assert eventually(lambda: found(engine, "купон") == ["new"])


_WRITER = """
import sys
from pathlib import Path
from helpdesk.kb.index import Index
from tests.unit.kb.shelves import ALL
from helpdesk.kb.documents import Document
index, kind = Index(Path(sys.argv[1])), sys.argv[2]
more = [Document(f"m{i}", f"Правило {i}", "Текст правила. " * 40) for i in range(200 if kind == "rebuild" else 6)]
print("ready", flush=True)
for revision in range(2, 1000):
    if kind == "rebuild":
        index.rebuild([*ALL, *more], revision)
    else:
        index.update(more, revision, wait=10)
"""


def _kill_while_writing(kind: str, delay: float, folder: Path, shelf: Shelf) -> None:
    serving = Engine(folder, shelf)
    assert found(serving) == ["password"]
    command = [sys.executable, "-c", _WRITER, str(folder), kind]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
        time.sleep(delay)
        assert found(serving) == ["password"]
        writer.send_signal(signal.SIGKILL)
        writer.wait(10)
    assert found(serving) == ["password"] and found(Engine(folder, shelf)) == ["password"]
    target = Index(folder).state().revision + 1
    Index(folder).rebuild(shelf.all(), target, wait=5)  # the lock died with its holder
    assert found(Engine(folder, shelf)) == ["password"]
    assert [path.name for path in folder.glob("g-*")] == [Index(folder).state().generation]


@pytest.mark.parametrize(("kind", "delay"), [("rebuild", 0.15), ("update", 0.25)])
def test_a_writer_killed_in_the_middle_harms_nothing(kind: str, delay: float, folder: Path, shelf: Shelf) -> None:
    _kill_while_writing(kind, delay, folder, shelf)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_twenty_writers_killed_anywhere_harm_nothing(seed: int, folder: Path, shelf: Shelf) -> None:
    rng = random.Random(seed)
    _kill_while_writing(rng.choice(["rebuild", "update"]), rng.uniform(0.0, 1.2), folder, shelf)


def test_a_build_whose_sender_goes_away_changes_nothing(folder: Path, shelf: Shelf) -> None:
    class Interrupted(Shelf):
        def all(self):  # type: ignore[no-untyped-def]
            yield PASSWORD
            raise ConnectionError("the database went away")

    before = Index(folder).state()
    source = Interrupted(PASSWORD)
    source.put(INVOICE)
    with pytest.raises(ConnectionError):
        write_in_child(folder, source)
    assert Index(folder).state() == before


def test_a_build_that_takes_too_long_ends_by_itself(tmp_path: Path) -> None:
    shelf = Shelf(*(Document(f"d{i}", f"Правило {i}", f"Слово{i} " * 3000) for i in range(300)))
    assert write_in_child(tmp_path / "kb", shelf, seconds=1) is False
    with pytest.raises(Damaged):
        Index(tmp_path / "kb").state()


_UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys, time
from pathlib import Path
import gevent
from helpdesk.kb.documents import Document
from helpdesk.kb.engine import Engine
from tests.unit.kb.shelves import ALL, Shelf

gaps, last = [], time.perf_counter()
def tick():
    global last
    while True:
        gevent.sleep(0.005)
        gaps.append(time.perf_counter() - last)
        last = time.perf_counter()
gevent.spawn(tick)
shelf = Shelf(*ALL, *(Document(f"d{i}", f"Правило номер {i}", "Текст правила и пояснение. " * 60) for i in range(400)))
engine = Engine(Path(sys.argv[1]), shelf)
gevent.sleep(0.05)
gaps.clear()
started = time.perf_counter()
assert [hit.id for hit in engine.find("сменить пароль", audience=("public",)).answers][:1] == ["password"]
built = time.perf_counter() - started
print(f"{built:.2f} {max(gaps):.3f}")
assert max(gaps) < built / 3, (built, max(gaps))
"""


def test_under_gevent_others_are_served_while_a_first_index_is_built(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _UNDER_GEVENT, str(tmp_path / "kb")]
    result = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


def test_lengths_read_at_once_are_those_that_whoosh_gives_one_by_one(folder: Path, engine: Engine, shelf: Shelf) -> None:
    shelf.put(Document("no-body", "A title alone"), Document("long", "Long", "word " * 3_000))
    assert engine.refresh()
    snapshot = engine._snapshot
    assert snapshot is not None
    for segment in snapshot.segments:
        for name in FIELDS:
            one_by_one = [segment.reader.doc_field_length(number, name) or 0 for number in range(segment.size)]
            assert list(segment.lengths[name]) == one_by_one

"""The knowledge base's search beside other engines, in one run: quality on public question sets, latency, build and memory.

    python bench/search.py quality [FOLDER]     nDCG@10 on the test halves of the sets in FOLDER (../shared/data/search)
    python bench/search.py speed [FOLDER]       p50/p95 at 300 and 10,000 articles, build time and memory, a change, type-ahead

tantivy is compared when it is installed (pip install tantivy); it is no dependency of the desk. The articles of the speed run are made from
the sentences of the sets with a fifth of the long words altered, so that the vocabulary grows as in a real base.
"""

from __future__ import annotations

import importlib.util
import json
import random
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from whoosh.analysis import StandardAnalyzer  # noqa: E402
from whoosh.fields import ID, TEXT, Schema  # noqa: E402
from whoosh.filedb.filestore import RamStorage  # noqa: E402
from whoosh.qparser import MultifieldParser  # noqa: E402
from whoosh.query import Or, Term  # noqa: E402

from helpdesk.kb import commands, text  # noqa: E402
from helpdesk.kb.documents import Document  # noqa: E402
from helpdesk.kb.engine import Engine  # noqa: E402
from helpdesk.kb.index import Index  # noqa: E402

SETS = ROOT.parent / "shared" / "data" / "search"
Search = Callable[[str], list[str]]


def our_engine(documents: list[Document]) -> Iterator[Search]:
    """What the product does."""
    with commands.searching(documents) as engine:
        yield lambda query: next(commands.rank(engine, [query]))


def whoosh(documents: list[Document], *, either: bool) -> Iterator[Search]:
    """Whoosh with StandardAnalyzer: as it comes (all words must occur), or with any word."""
    schema = Schema(id=ID(stored=True), title=TEXT(analyzer=StandardAnalyzer()), body=TEXT(analyzer=StandardAnalyzer()))
    index = RamStorage().create_index(schema)
    writer = index.writer()
    for document in documents:
        writer.add_document(id=document.id, title=document.title, body=document.body)
    writer.commit()
    analyzer = StandardAnalyzer()
    parser = MultifieldParser(["title", "body"], schema)
    with index.searcher() as searcher:

        def search(query: str) -> list[str]:
            if either:
                words = {token.text for token in analyzer(query)}
                asked: Any = Or([Term(name, word) for name in ("title", "body") for word in words])
            else:
                asked = parser.parse(query)
            return [hit["id"] for hit in searcher.search(asked, limit=10)]

        yield search


def fts5(documents: list[Document]) -> Iterator[Search]:
    """SQLite FTS5 over our stems, any word, title four times the body."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE a USING fts5(id UNINDEXED, title, body)")
    rows = ((document.id, " ".join(text.stems(document.title)), " ".join(text.stems(document.body))) for document in documents)
    db.executemany("INSERT INTO a VALUES (?,?,?)", rows)

    def search(query: str) -> list[str]:
        words = dict.fromkeys(text.stems(query))
        if not words:
            return []
        asked = " OR ".join(f'"{word}"' for word in words)
        return [row[0] for row in db.execute("SELECT id FROM a WHERE a MATCH ? ORDER BY bm25(a, 0, 4, 1) LIMIT 10", (asked,))]

    yield search


def tantivy(documents: list[Document]) -> Iterator[Search]:
    """tantivy over our stems, any word, title boosted."""
    import tantivy as library

    schema = library.SchemaBuilder()
    schema.add_text_field("id", stored=True, tokenizer_name="raw")
    for name in ("title", "body"):
        schema.add_text_field(name, tokenizer_name="whitespace")
    built = schema.build()
    with tempfile.TemporaryDirectory() as folder:
        index = library.Index(built, folder)
        writer = index.writer(num_threads=1)
        for document in documents:
            fields = {"id": document.id, "title": " ".join(text.stems(document.title)), "body": " ".join(text.stems(document.body))}
            writer.add_document(library.Document(**fields))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        searcher = index.searcher()

        def search(query: str) -> list[str]:
            asked = []
            for word in dict.fromkeys(text.stems(query)):
                for name, boost in (("title", 1.0), ("body", 0.35)):
                    term = library.Query.boost_query(library.Query.term_query(built, name, word), boost)
                    asked.append((library.Occur.Should, term))
            if not asked:
                return []
            hits = searcher.search(library.Query.boolean_query(asked), 10).hits
            return [searcher.doc(address)["id"][0] for _, address in hits]

        yield search


ENGINES: dict[str, Callable[[list[Document]], Iterator[Search]]] = {
    "Whoosh as it comes": lambda documents: whoosh(documents, either=False),
    "Whoosh OR, StandardAnalyzer": lambda documents: whoosh(documents, either=True),
    "SQLite FTS5, our stems": fts5,
    "tantivy, our stems": tantivy,
    "helpdesk": our_engine,
}
if importlib.util.find_spec("tantivy") is None:
    del ENGINES["tantivy, our stems"]


def quality(folder: Path) -> None:
    """Print nDCG@10 per engine and set, clean and with a typo a question; then ours with the tuning halves as the log."""
    retrieval = _tool()
    names = [path.name for path in sorted(folder.iterdir()) if (path / "qrels.jsonl").is_file()]
    print(f"{'nDCG@10, clean / one typo':30}" + "".join(f"{name:>20}" for name in names))
    for label, engine in ENGINES.items():
        print(f"{label:30}", end="", flush=True)
        for name in names:
            with contextmanager(engine)(commands.load(folder / name)) as search:
                print(f"{_ndcg(search, folder / name, retrieval):>20}", end="", flush=True)
        print()
    print(f"{'helpdesk with the log':30}", end="", flush=True)
    for name in names:
        with contextmanager(our_engine)(commands.load(folder / name, learn=True)) as search:
            print(f"{_ndcg(search, folder / name, retrieval):>20}", end="", flush=True)
    print()


def speed(folder: Path) -> None:
    """Print latencies of all engines at two sizes, and what our index costs."""
    for size in (300, 10_000):
        documents, queries = made(folder, size)
        print(f"\n{size} articles, {sum(len(document.body) for document in documents) // size} characters each, {len(queries)} questions")
        for label, engine in ENGINES.items():
            if label != "helpdesk":
                with contextmanager(engine)(documents) as search:
                    _timed(label, search, queries)
        with tempfile.TemporaryDirectory() as temporary:
            _ours(Path(temporary), documents, queries)


def _ours(temporary: Path, documents: list[Document], queries: list[str]) -> None:
    """Build in the child, serve in a fresh process: only so are memory and time those of the product."""
    articles, asked, target = temporary / "articles.jsonl", temporary / "queries.json", temporary / "index"
    rows = (json.dumps([d.id, d.title, d.body, d.language, d.category]) for d in documents)
    articles.write_text("\n".join(rows), encoding="utf-8")
    asked.write_text(json.dumps(queries), encoding="utf-8")
    started = time.perf_counter()
    builder = subprocess.run([sys.executable, __file__, "_build", articles, target], check=True, capture_output=True, text=True)
    print(f"{'helpdesk: build':30} {time.perf_counter() - started:.1f} s, {builder.stdout.strip()}")
    print(f"{'helpdesk: on the disk':30} {sum(p.stat().st_size for p in target.rglob('*') if p.is_file()) / 1e6:.1f} MB")
    subprocess.run([sys.executable, __file__, "_serve", target, asked], check=True)
    subprocess.run([sys.executable, __file__, "_second", target], check=True)


def _build(articles: str, target: str) -> None:
    with Path(articles).open(encoding="utf-8") as lines:
        Index(Path(target)).rebuild((Document(*json.loads(line)) for line in lines), 1)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{used.ru_utime + used.ru_stime:.1f} s of CPU, peak {used.ru_maxrss / 1024:.0f} MB")


def _serve(target: str, asked: str) -> None:
    queries = json.loads(Path(asked).read_text(encoding="utf-8"))
    source = _Editable()
    engine = Engine(Path(target), source)
    before = _resident()
    started = time.perf_counter()
    engine.find("привет", audience=("public",))
    print(f"{'helpdesk: load':30} {1000 * (time.perf_counter() - started):.0f} ms, {_resident() - before:.0f} MB more resident")
    _timed("helpdesk", lambda query: [hit.id for hit in engine.find(query, audience=("public",)).answers], queries)
    prefixes = [query[: random.Random(query).randint(2, 20)] for query in queries]
    _timed("helpdesk: type-ahead", lambda typed: [hit.id for hit in engine.suggest(typed, audience=("public",))], prefixes)
    print(f"{'helpdesk: after these':30} {_resident() - before:.0f} MB more resident than before loading")
    spent = []
    for number in range(10):
        source.edited = Document("edited", f"Правка номер{number}", "Новый текст.")
        started = time.perf_counter()
        assert [hit.id for hit in engine.find(f"номер{number}", audience=("public",)).answers][:1] == ["edited"]
        spent.append(time.perf_counter() - started)
    print(f"{'helpdesk: edit and find it':30} p50 {1000 * sorted(spent)[5]:.0f} ms, worst {1000 * max(spent):.0f} ms")


def _second(target: str) -> None:
    """Print how long after an edit, made known by one process, another one finds it. Both have their engine over the same index."""
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder) / "edited.json"
        shared.write_text(json.dumps([1, ""]), encoding="utf-8")
        with subprocess.Popen([sys.executable, __file__, "_watch", target, shared], stdout=subprocess.PIPE, text=True) as watcher:
            assert watcher.stdout is not None
            watcher.stdout.readline()
            engine, spent = Engine(Path(target), _Shared(shared)), []
            engine.find("привет", audience=("public",))
            for number in range(10):
                draft = shared.with_suffix(".tmp")
                draft.write_text(json.dumps([1000 + number, f"Правка второго{number}"]), encoding="utf-8")
                started = time.time()
                draft.replace(shared)
                engine.find(f"второго{number}", audience=("public",))  # as the author's own page does
                spent.append(float(watcher.stdout.readline()) - started)
            watcher.terminate()
    print(f"{'helpdesk: found elsewhere':30} p50 {1000 * sorted(spent)[5]:.0f} ms, worst {1000 * max(spent):.0f} ms after the edit")


def _watch(target: str, shared: str) -> None:
    engine = Engine(Path(target), _Shared(Path(shared)))
    engine.find("привет", audience=("public",))
    print("ready", flush=True)
    for number in range(10):
        while not any("".join(run.text for run in hit.title) == f"Правка второго{number}" for hit in _found(engine, f"второго{number}")):
            time.sleep(0.01)
        print(time.time(), flush=True)


def _found(engine: Engine, query: str) -> Any:
    return engine.find(query, audience=("public",)).answers


class _Shared:
    """A source of one article that two processes share by a file: [revision, title]."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _read(self) -> list[Any]:
        return list(json.loads(self._path.read_text(encoding="utf-8")))

    def revision(self) -> int:
        return int(self._read()[0])

    def changed_since(self, revision: int) -> list[Document]:
        return [Document("edited", self._read()[1], "Новый текст.")]

    def all(self) -> list[Document]:
        return self.changed_since(0)


class _Editable:
    """A source whose one article changes at every assignment."""

    def __init__(self) -> None:
        self._revision, self._edited = 1, Document("edited", "")

    @property
    def edited(self) -> Document:
        return self._edited

    @edited.setter
    def edited(self, document: Document) -> None:
        self._revision, self._edited = self._revision + 1, document

    def revision(self) -> int:
        return self._revision

    def changed_since(self, revision: int) -> list[Document]:
        return [self._edited]

    def all(self) -> list[Document]:
        return [self._edited]


def made(folder: Path, size: int, seed: int = 5) -> tuple[list[Document], list[str]]:
    """`size` articles of 4 to 20 sentences, half Russian, and 300 real questions."""
    rng = random.Random(seed)
    sentences: dict[str, list[str]] = {"en": [], "ru": []}
    questions: dict[str, list[str]] = {"en": [], "ru": []}
    for path in sorted(folder.iterdir()):
        if (path / "docs.jsonl").is_file():
            language = "ru" if path.name.endswith("_ru") else "en"
            bodies = (document.body for document in commands.load(path))
            sentences[language] += [one for body in bodies for one in re.split(r"(?<=[.!?])\s+", body) if len(one) > 20]
            questions[language] += [query["text"] for query in commands.tuning_half(path)]

    def altered(match: re.Match[str]) -> str:
        word = match.group()
        if rng.random() > 0.2:
            return word
        letters, endings = ("abcdeoi", ["", "s", "er"]) if word[0] < "z" else ("аеиоукт", ["", "а", "ов"])
        return word[:-2] + rng.choice(letters) + word[-2:] + rng.choice(endings)

    documents = []
    for number in range(size):
        language = ("en", "ru")[number % 2]
        body = " ".join(rng.choice(sentences[language]) for _ in range(rng.randint(4, 20)))
        title = re.sub(r"\w{6,}", altered, rng.choice(questions[language]))
        category = rng.choice(["billing", "delivery", "оплата", "доставка", "account"])
        documents.append(Document(f"d{number}", title, re.sub(r"\w{6,}", altered, body), language, category))
    return documents, [rng.choice(questions[rng.choice(["en", "ru"])]) for _ in range(300)]


def _timed(label: str, search: Search, queries: list[str]) -> None:
    for query in queries[:20]:
        search(query)
    spent, cpu = [], []
    for query in queries:
        started, worked = time.perf_counter(), time.process_time()
        search(query)
        spent.append(1000 * (time.perf_counter() - started))
        cpu.append(1000 * (time.process_time() - worked))
    # on a busy machine the time on the CPU says more than the time on the clock
    print(f"{label:30} {_spread(spent)}; of CPU {_spread(cpu)}", flush=True)


def _spread(spent: list[float]) -> str:
    spent = sorted(spent)
    return f"p50 {spent[len(spent) // 2]:.1f} ms, p95 {spent[int(len(spent) * 0.95)]:.1f} ms, worst {spent[-1]:.1f} ms"


def _resident() -> float:
    """Megabytes of this process in memory."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]


def _ndcg(search: Search, folder: Path, retrieval: Any) -> str:
    _, _, test, qrels = retrieval.load(folder)
    results = []
    for queries in (test, retrieval.typos(test)):
        results.append(retrieval.metrics({query["id"]: search(query["text"]) for query in queries}, qrels)["ndcg10"])
    return " / ".join(f"{result:.3f}" for result in results)


def _tool() -> Any:
    spec = importlib.util.spec_from_file_location("retrieval", ROOT.parent / "shared" / "tools" / "retrieval.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["quality", *rest]:
            quality(Path(rest[0]) if rest else SETS)
        case ["speed", *rest]:
            speed(Path(rest[0]) if rest else SETS)
        case ["_build", articles, target]:
            _build(articles, target)
        case ["_serve", target, asked]:
            _serve(target, asked)
        case ["_second", target]:
            _second(target)
        case ["_watch", target, shared]:
            _watch(target, shared)
        case _:
            sys.exit(__doc__)

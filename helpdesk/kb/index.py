"""The knowledge base's index on a node's disk: a cache that may vanish, break or fall behind at any time without losing anything.

Layout of the folder: `state.json` names the generation in use, the revision it holds and the size and checksum of its files;
`g-…/` is one Whoosh index plus the speller. A change adds a small segment; a rebuild writes another generation beside the first and
switches by renaming the state; changes go on meanwhile, and the new generation catches up by its revision. Locks beside the folder keep
it to one writer and one builder. Readers copy the files into memory (`load`) and check them, so that neither a writer nor rubbish on the
disk can disturb an answer.

Much work is for another process: `write_in_child` streams the articles to `python -m helpdesk.kb.index`, which is bounded in time and
memory and needs no database.
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import shutil
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import filelock
import whoosh
from whoosh.analysis import SpaceSeparatedTokenizer
from whoosh.fields import ID, KEYWORD, STORED, TEXT, Schema
from whoosh.filedb.filestore import FileStorage
from whoosh.index import FileIndex
from whoosh.reading import SegmentReader

from helpdesk.kb import text, trust
from helpdesk.kb.documents import Document, Source
from helpdesk.kb.speller import Speller

FORMAT = f"{text.VERSION}.2.{whoosh.versionstring()}"  # another format on the disk counts as damage: rebuilt
FIELDS = ("title", "body", "asked", "labels")
EDGES = range(2, 11)  # letters of the word beginnings that type-ahead finds
_KEPT_BODY = 20_000  # characters a snippet may come from
_LETTERS, _PAIRS = 1_200, 4_000  # characters of a field that the re-ranking looks at; more made no set better
_ASKED = 40  # questions of an article, the newest
_INDEXED_BODY = 200_000  # characters; beyond that an article is a file, and one must not stall the index
_REWRITTEN = (".toc", "words", "recent")
_PIECE = 1 << 20  # bytes
_SMALL_SEGMENT = 24  # articles; changes gather in one segment until it holds so many


class Damaged(Exception):
    """What is on the disk cannot be used: missing, cut, overwritten, or of another version. Rebuild."""


class Busy(Exception):
    """Another process is writing; what it writes will do for us too."""


@dataclass(frozen=True)
class State:
    """What `state.json` says. `files`: name → [size, crc32]. `recent`: changes since the last full build. `agreement`: see `trust`."""

    format: str
    generation: str
    revision: int
    recent: int
    files: dict[str, list[int]]
    agreement: float = 1.0


class Index:
    """The index in one folder; any number of processes may hold one on the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state_file = folder / "state.json"
        # beside it: the folder may be deleted under us
        self._writing, self._building = (folder.with_name(f"{folder.name}.{what}.lock") for what in ("write", "build"))

    def stamp(self) -> tuple[int, int]:
        """Changes whenever another state is in force; two system calls at most. (0, 0) while there is none."""
        try:
            status = self._state_file.stat()
        except OSError:
            return (0, 0)
        return (status.st_mtime_ns, status.st_ino)

    def state(self) -> State:
        """Raises Damaged."""
        try:
            state = State(**json.loads(self._state_file.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise Damaged(str(error)) from error
        if state.format != FORMAT:
            raise Damaged(f"written as {state.format}, we read {FORMAT}")
        return state

    def load(self, held: dict[str, tuple[int, bytes]]) -> tuple[State, dict[str, tuple[int, bytes]]]:
        """The state and its files as name → (crc32, content), taking unchanged ones from `held`. Raises Damaged."""
        state = self.state()
        files: dict[str, tuple[int, bytes]] = {}
        for name, (size, checksum) in state.files.items():
            known = held.get(name)
            if known and known[0] == checksum and len(known[1]) == size:
                files[name] = known
                continue
            try:
                content, found = _read(self.folder / state.generation / name)
            except OSError as error:
                raise Damaged(str(error)) from error
            if len(content) != size or found != checksum:
                raise Damaged(f"{name} is not what was written")
            files[name] = (checksum, content)
        return state, files

    def rebuild(self, documents: Iterable[Document], revision: int, *, wait: float = 60) -> None:
        """Write a new generation that holds `documents` and stands for `revision`; the old one serves until the end.

        Does nothing when another writer got there meanwhile. Raises Busy when a writer holds the lock for `wait` seconds.
        """
        with self._locked(self._building, wait):
            with suppress(Damaged):
                if self.load({})[0].revision >= revision and self.state().recent == 0:
                    return
            generation = f"g-{os.getpid()}-{secrets.token_hex(4)}"
            target = self.folder / generation
            target.mkdir(parents=True)
            frequencies: Counter[str] = Counter()
            seen: set[str] = set()
            asked: list[tuple[str, list[str]]] = []
            index = FileIndex.create(FileStorage(str(target)), _schema(), "MAIN")
            writer = index.writer(timeout=wait, limitmb=48, compound=False)
            for document in documents:
                if document.id in seen or document.gone:
                    continue
                seen.add(document.id)
                frequencies.update(_add(writer, document))
                if len(asked) < trust.MOST:
                    asked += [(document.id, text.stems(question)) for question in document.asked[:_ASKED]]
            writer.commit(merge=False)
            (target / "words").write_bytes(Speller.of(frequencies, len(seen)).dumped)
            with self._locked(self._writing, wait):
                self._switch(generation, revision, recent=0, agreement=trust.agreement(asked))
                for other in self.folder.glob("g-*"):
                    if other.name != generation:
                        shutil.rmtree(other, ignore_errors=True)

    def update(
        self, changes: Iterable[Document], revision: int, *, wait: float = 0.2, held: dict[str, tuple[int, bytes]] | None = None
    ) -> None:
        """Add, replace or take out a few articles and stand for `revision`: milliseconds each.

        Files that are `held` in memory are not read again, only looked for: if one was overwritten in its place, the next who loads it
        finds out. Raises Busy after `wait` seconds, Damaged when the present generation is unusable.
        """
        with self._locked(self._writing, wait):
            state, files = self.load(held or {})
            if state.revision >= revision:
                return
            self._require_sizes(state)
            latest = {document.id: document for document in changes}
            target = self.folder / state.generation
            speller = Speller(files["words"][1])
            fresh = Counter(json.loads(files["recent"][1]) if "recent" in files else {})
            try:
                writer = FileIndex(FileStorage(str(target)), indexname="MAIN").writer(timeout=1.0, limitmb=16, compound=False)
                for document in latest.values():
                    writer.delete_by_term("id", document.id)
                    if not document.gone:
                        fresh.update(word for word in _add(writer, document) if word not in speller)
                writer.commit(mergetype=_gather)
            except Exception as error:  # Whoosh over broken files raises nearly anything
                raise Damaged(repr(error)) from error
            (target / "recent").write_text(json.dumps(fresh), encoding="utf-8")
            self._switch(state.generation, revision, recent=state.recent + len(latest), agreement=state.agreement, known=state.files)

    def _require_sizes(self, state: State) -> None:
        for name, (size, _) in state.files.items():
            try:
                found = (self.folder / state.generation / name).stat().st_size
            except OSError as error:
                raise Damaged(str(error)) from error
            if found != size:
                raise Damaged(f"{name} is not what was written")

    def discard(self) -> None:
        """Declare the index unusable (a restored database has an older revision than it); whoever searches next builds it anew."""
        self._state_file.unlink(missing_ok=True)

    def _switch(self, generation: str, revision: int, *, recent: int, agreement: float, known: dict[str, list[int]] | None = None) -> None:
        """Put a generation in force. The state is renamed last: whoever dies before has changed nothing."""
        files: dict[str, list[int]] = {}
        for path in sorted((self.folder / generation).iterdir()):
            if path.is_dir() or path.name.endswith(("LOCK", ".tmp")):
                continue
            if known and path.name in known and not path.name.endswith(_REWRITTEN):  # a segment's files never change
                files[path.name] = known[path.name]
                continue
            content = path.read_bytes()
            files[path.name] = [len(content), zlib.crc32(content)]
        state = State(FORMAT, generation, revision, recent, files, agreement)
        draft = self._state_file.with_name(f"state.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        draft.write_text(json.dumps(asdict(state)), encoding="utf-8")
        draft.replace(self._state_file)

    @contextmanager
    def _locked(self, file: Path, wait: float) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(file, timeout=wait, thread_local=False)
        try:
            with lock:
                yield
        except filelock.Timeout as error:
            raise Busy(str(self.folder)) from error


def _read(path: Path) -> tuple[bytes, int]:
    """A file and its checksum, summed up a piece at a time: between two of them others are served. A generation has tens of megabytes."""
    content, checksum = path.read_bytes(), 0
    with memoryview(content) as view:
        for at in range(0, len(view), _PIECE):
            time.sleep(0)  # gevent changes to another greenlet, threads may change
            checksum = zlib.crc32(view[at : at + _PIECE], checksum)
    return content, checksum


def write_in_child(folder: Path, source: Source, *, since: int | None = None, seconds: int = 900, megabytes: int = 1024) -> bool:
    """Have a bounded process write what changed in `source` since a revision, or with None all anew. False when it failed.

    Cooperative under gevent: the articles go through a pipe as they are read.
    """
    revision = source.revision()  # before reading: what changes meanwhile is then seen as a change
    package = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))}
    what = "all" if since is None else "changes"
    command = [sys.executable, "-m", "helpdesk.kb.index", str(folder), what, str(revision), str(seconds), str(megabytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as child:
        assert child.stdin is not None
        try:
            sent = 0
            for document in source.all() if since is None else source.changed_since(since):
                child.stdin.write(json.dumps(asdict(document), ensure_ascii=False).encode() + b"\n")
                sent += 1
            child.stdin.write(json.dumps({"end": sent}).encode() + b"\n")
            child.stdin.close()
        except BrokenPipeError:  # it found nothing to do, or died: its return code tells
            with suppress(BrokenPipeError):
                child.stdin.close()
        except BaseException:
            child.kill()
            raise
        try:
            return child.wait(timeout=seconds + 30) == 0
        except subprocess.TimeoutExpired:
            child.kill()
            return False


def main(folder: str, what: str, revision: str, seconds: str, megabytes: str) -> int:
    """The child: articles as JSON lines on stdin, closed by {"end": count}; an input that ends otherwise changes nothing."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
    resource.setrlimit(resource.RLIMIT_AS, (int(megabytes) << 20, int(megabytes) << 20))
    with suppress(OSError):
        os.nice(5)  # serving comes first
    write = Index(Path(folder)).rebuild if what == "all" else Index(Path(folder)).update
    try:
        write(_received(sys.stdin.buffer), int(revision), wait=float(seconds))
    except (EOFError, Busy, Damaged) as error:
        print(f"knowledge base index not written: {error!r}", file=sys.stderr)
        return 1
    return 0


def _received(lines: IO[bytes]) -> Iterator[Document]:
    for before, line in enumerate(lines):
        row: dict[str, Any] = json.loads(line)
        if "end" in row:
            if row["end"] != before:
                raise EOFError(f"{before} articles came, {row['end']} were sent")
            return
        values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
        yield Document(**values)
    raise EOFError("the sender went away")


def _schema() -> Schema:
    split = SpaceSeparatedTokenizer()  # never used: the fields receive lists of terms, which Whoosh takes as they are
    texts = {name: TEXT(analyzer=split, phrase=False) for name in FIELDS}
    sets = {name: KEYWORD(lowercase=False, scorable=False) for name in ("audience", "language", "category", "edges")}
    return Schema(id=ID(unique=True), kept=STORED, **texts, **sets)


def _add(writer: Any, document: Document) -> set[str]:
    """Write one article; returns the words in it, for the speller.

    `kept` is what ranking and snippets need: id, title, body, then per ranked field its words and its stems as spaced strings.
    """
    body = text.normal(document.body)[:_INDEXED_BODY]
    parts = (document.title, body, *document.asked[:_ASKED])
    tokens = [list(text.tokens(text.normal(part))) for part in parts]
    title, written, asked = tokens[0], tokens[1], tokens[2:]
    stems = {"title": title, "body": written, "asked": [token for question in asked for token in question]}
    kept = (
        document.id,
        text.normal(document.title),
        body[:_KEPT_BODY],
        *((_spaced(found, "word")[:_LETTERS], _spaced(found, "stem")[:_PAIRS]) for found in ([title], [written], asked)),
    )
    fields: dict[str, list[str]] = {name: [token.stem for token in found] for name, found in stems.items()}
    fields["labels"] = text.stems(" ".join((document.category, *document.tags)))
    fields["edges"] = sorted({token.word[:size] for token in title for size in EDGES if size <= len(token.word)})
    fields |= {"audience": sorted(set(document.audience)), "language": [document.language], "category": [document.category]}
    fields = {name: values for name, values in fields.items() if any(values)}  # an empty term is none
    writer.add_document(id=document.id, kept=kept, **fields)
    return {token.word for found in tokens for token in found}


def _spaced(sentences: list[list[text.Token]], what: str) -> str:
    """Each sentence's words between spaces; a full stop keeps words of two sentences from being neighbours."""
    return "".join(f" {' '.join(getattr(token, what) for token in sentence)} ." for sentence in sentences if sentence)


def _gather(writer: Any, segments: list[Any]) -> list[Any]:
    """Whoosh's merge policy for changes: the newest segments flow together while they stay small. Large ones wait for a rebuild."""
    kept, total = [], 0
    for segment in sorted(segments, key=lambda one: int(one.doc_count_all())):
        total += segment.doc_count_all()
        if total > _SMALL_SEGMENT:
            kept.append(segment)
            continue
        reader = SegmentReader(writer.storage, writer.schema, segment)
        writer.add_reader(reader)
        reader.close()
    return kept


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""`helpdesk kb rank` and `tune` over a folder of questions."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from helpdesk.kb_commands import kb


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    folder = tmp_path / "little"
    folder.mkdir()
    docs = [
        {"id": "a", "q": "Как сменить пароль?", "a": "В профиле.", "cat": ""},
        {"id": "b", "q": "Where is my invoice?", "a": "Under billing.", "cat": "", "asked": ["the bill please"]},
    ]
    asked = ["пароль", "поменять пароль", "invoice", "my invoice", "паролль", "billing"]
    queries = [{"id": f"q{i}", "text": text} for i, text in enumerate(asked)]
    qrels = [{"qid": f"q{i}", "docid": id, "rel": 1} for i, id in enumerate("aabbab")]
    for name, rows in (("docs", docs), ("queries", queries), ("qrels", qrels)):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return folder


def test_rank_prints_a_list_of_ids_for_each_line_even_an_empty_one(questions: Path) -> None:
    result = CliRunner().invoke(kb, ["rank", str(questions)], input="сменить пороль\n\nthe bill\nNOT id:1 *\n")
    assert result.exit_code == 0
    assert [json.loads(line) for line in result.output.splitlines()] == [["a"], [], ["b"], []]


def test_tune_prints_weights_that_are_no_worse(questions: Path) -> None:
    result = CliRunner().invoke(kb, ["tune", str(questions)])
    assert result.exit_code == 0
    said = json.loads(result.output)
    assert said["ndcg10"]["after"] >= said["ndcg10"]["before"] and "grams" in said["weights"]


def test_a_broken_line_is_named(questions: Path) -> None:
    (questions / "docs.jsonl").write_text('{"id": "a"}\n{oops\n')
    result = CliRunner().invoke(kb, ["rank", str(questions)], input="x\n")
    assert result.exit_code == 1 and "docs.jsonl, line 2" in result.output


def test_a_folder_without_articles_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(kb, ["rank", str(tmp_path)], input="x\n")
    assert result.exit_code == 1 and "docs.jsonl" in result.output

from __future__ import annotations

import sqlite3

import pytest

from taskspace.atlas import Atlas, schema
from taskspace.errors import AtlasError


def ask(path, sql):
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_new_file_is_marked(path, atlas):
    assert ask(path, "PRAGMA application_id") == [(schema.APPLICATION_ID,)]
    assert ask(path, "PRAGMA user_version") == [(len(schema.MIGRATIONS),)]
    assert ask(path, "PRAGMA journal_mode") == [("wal",)]
    assert ask(path, "PRAGMA page_size") == [(schema.PAGE_SIZE,)]


def test_an_empty_file_becomes_an_atlas(path, many):
    path.touch()
    with Atlas(path, create=False) as atlas:
        atlas.add(*many(1))
        assert len(atlas) == 1


def test_version_0_with_our_mark_is_migrated(path, many):
    ask(path, f"PRAGMA application_id = {schema.APPLICATION_ID}")
    with Atlas(path) as atlas:
        atlas.add(*many(1))
    assert ask(path, "PRAGMA user_version") == [(len(schema.MIGRATIONS),)]


def test_an_older_file_is_migrated_and_keeps_all(path, many, monkeypatch):
    with Atlas(path) as atlas:
        atlas.add(*many(1, 2))
    extra = "CREATE TABLE notes (text TEXT); -- a remark; with a semicolon\nINSERT INTO notes VALUES ('a;b');\n"
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, extra])
    for _ in range(2):  # the second time there is nothing to do
        with Atlas(path) as atlas:
            assert [entry.name for entry in atlas.entries()] == ["e1", "e2"]
    assert ask(path, "SELECT text FROM notes") == [("a;b",)]
    assert ask(path, "PRAGMA user_version") == [(len(schema.MIGRATIONS),)]


def test_a_migration_that_fails_leaves_the_file_as_it_was(path, many, monkeypatch):
    with Atlas(path) as atlas:
        atlas.add(*many(1))
    before = ask(path, "PRAGMA user_version")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, "CREATE TABLE notes (text);\nDROP TABLE absent;"])
        with pytest.raises(AtlasError, match="no such table: absent"):
            Atlas(path)
    assert ask(path, "SELECT count(*) FROM sqlite_master WHERE name = 'notes'") == [(0,)]
    assert ask(path, "PRAGMA user_version") == before
    with Atlas(path) as atlas:
        assert "e1" in atlas


def test_a_newer_file_asks_for_an_upgrade(path, many):
    with Atlas(path) as atlas:
        atlas.add(*many(1))
    ask(path, "PRAGMA user_version = 99")
    with pytest.raises(AtlasError, match=r"newer taskspace \(schema 99, this one reads \d+\); upgrade taskspace$"):
        Atlas(path)
    assert ask(path, "SELECT name FROM embeddings") == [("e1",)]


@pytest.mark.parametrize("sql", ["CREATE TABLE songs (title)", "PRAGMA application_id = 7", "PRAGMA user_version = 3"])
def test_another_programs_database_is_left_alone(path, sql):
    ask(path, sql)
    before = path.read_bytes()
    with pytest.raises(AtlasError, match="database of another program"):
        Atlas(path)
    assert path.read_bytes() == before


def test_a_file_that_is_not_sqlite_is_left_alone(path):
    path.write_text('{"text": "a"}\n' * 100)
    with pytest.raises(AtlasError, match="is not an atlas, not even a SQLite file; choose another file$"):
        Atlas(path)
    assert path.read_text() == '{"text": "a"}\n' * 100

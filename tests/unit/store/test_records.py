"""Records on disk: there whole or not at all, whoever looks and whatever ends in between."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import BaseModel

from myna.store.records import Records


class Note(BaseModel):
    name: str


@pytest.fixture
def records(tmp_path: Path) -> Records[Note]:
    return Records(tmp_path / "deep" / "notes", "note_", Note)


def test_what_was_added_is_found_also_by_another_process(records, tmp_path):
    id_ = records.add(Note(name="Ann"), b"bytes")
    again = Records(tmp_path / "deep" / "notes", "note_", Note)
    assert again.ids() == [id_]
    assert again.find(id_) == Note(name="Ann")
    assert again.file(id_) == b"bytes"


def test_without_a_folder_there_is_nothing_and_none_is_made(records, tmp_path):
    assert records.ids() == []
    assert records.find("note_" + "0" * 32) is None
    assert records.delete("note_" + "0" * 32) is False
    assert not (tmp_path / "deep").exists()


def test_the_newest_comes_first(records):
    ids = []
    for number in range(5):
        ids.append(records.add(Note(name=str(number))))
        time.sleep(0.002)  # ids have milliseconds
    assert records.ids() == ids[::-1]


def test_a_record_may_have_no_file(records):
    assert records.file(records.add(Note(name="Ann"))) is None


def test_what_it_says_can_be_changed_and_its_file_stays(records):
    id_ = records.add(Note(name="Ann"), b"bytes")
    assert records.change(id_, Note(name="Bob"))
    assert (records.find(id_), records.file(id_)) == (Note(name="Bob"), b"bytes")


def test_what_was_deleted_is_gone_and_leaves_nothing_behind(records, tmp_path):
    id_ = records.add(Note(name="Ann"), b"bytes")
    assert records.delete(id_)
    assert not records.delete(id_)
    assert not records.change(id_, Note(name="Bob"))
    assert (records.find(id_), records.file(id_), records.ids()) == (None, None, [])
    assert list((tmp_path / "deep" / "notes").iterdir()) == []


@pytest.mark.parametrize(
    "id_",
    ["", ".", "..", "../note", "note_/../..", "note_" + "0" * 31, "note_" + "G" * 32, "note_\0"],
)
def test_only_ids_of_its_own_kind_reach_the_disk(records, id_):
    records.add(Note(name="Ann"))
    assert (records.find(id_), records.file(id_)) == (None, None)
    assert not records.delete(id_)
    assert not records.change(id_, Note(name="Bob"))
    assert len(records.ids()) == 1


def test_a_write_that_fails_leaves_no_half_record(records, tmp_path, monkeypatch):
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    records.add(Note(name="Ann"))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        records.add(Note(name="Bob"), b"bytes")
    assert len(list((tmp_path / "deep" / "notes").iterdir())) == 1


def test_what_a_process_left_half_done_is_not_seen_and_is_swept_when_it_is_old(records, tmp_path):
    kept = records.add(Note(name="Ann"))
    folder = tmp_path / "deep" / "notes"
    for name in (f".new-{kept}", f".gone-{kept}"):
        (folder / name).mkdir()
    os.utime(folder / f".new-{kept}", (0, 0))
    assert records.ids() == [kept]
    records.add(Note(name="Bob"))
    assert [file.name for file in folder.glob(".*")] == [f".gone-{kept}"]


def test_a_damaged_record_is_none_and_can_be_deleted(records, tmp_path):
    id_ = records.add(Note(name="Ann"))
    (tmp_path / "deep" / "notes" / id_ / "about.json").write_text('{"name": 5')
    assert records.find(id_) is None
    assert records.delete(id_)


def test_many_at_once_get_ids_of_their_own(records):
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda number: records.add(Note(name=str(number))), range(40)))
    assert len(set(ids)) == 40
    assert {records.find(id_).name for id_ in ids} == {str(number) for number in range(40)}


def test_who_deletes_and_who_renames_at_once_never_leave_half_a_record(records):
    ids = [records.add(Note(name="Ann"), b"bytes") for _ in range(20)]
    with ThreadPoolExecutor(8) as threads:
        renamed = [threads.submit(records.change, id_, Note(name="Bob")) for id_ in ids]
        deleted = [threads.submit(records.delete, id_) for id_ in ids]
        assert all(done.result() for done in deleted)
        assert {done.result() for done in renamed} <= {True, False}
    assert records.ids() == []
    assert records.add(Note(name="Eve"))

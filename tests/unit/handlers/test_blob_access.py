"""Who may have which blob, and which part of it."""

from __future__ import annotations

import hashlib

import pytest

from jupyter_runtimed.core.errors import BadRequest, NotFound, QuotaExceeded
from jupyter_runtimed.handlers.blob_access import BlobAccess
from jupyter_runtimed.handlers.blobs import SHOWN_TYPES, RangeNotSatisfiable, read_range
from jupyter_runtimed.handlers.upload_quota import UploadQuota
from tests.support.room_ports import FakeBlobs

NAME = hashlib.sha256(b"x").hexdigest()


async def test_a_blob_that_nobody_shows_is_for_who_stored_it() -> None:
    access = BlobAccess(FakeBlobs(), is_shown=lambda _: False)
    assert await access.put({"alice", "token 1"}, b"x") == NAME
    for who in ({"alice"}, {"token 1"}, {"bob", "token 1"}):
        assert access.find(who, NAME) == 1
    with pytest.raises(NotFound):
        access.find({"bob"}, NAME)


async def test_a_blob_that_is_shown_is_for_everybody_who_may_ask() -> None:
    blobs = FakeBlobs()
    access = BlobAccess(blobs, is_shown=lambda name: name == NAME)
    with pytest.raises(NotFound):
        access.find({"bob"}, NAME)
    await blobs.put(b"x")
    assert access.find({"bob"}, NAME) == 1


async def test_what_is_remembered_of_uploads_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_runtimed.handlers.blob_access.MAX_UPLOADS", 2)
    access = BlobAccess(FakeBlobs(), is_shown=lambda _: False)
    first, second, third = [await access.put({"alice"}, data) for data in (b"1", b"2", b"3")]
    assert [access.find({"alice"}, name) for name in (second, third)] == [1, 1]
    with pytest.raises(NotFound):
        access.find({"alice"}, first)


async def test_a_name_that_is_known_and_one_that_is_not_are_refused_alike() -> None:
    access = BlobAccess(FakeBlobs(), is_shown=lambda _: False)
    await access.put({"alice"}, b"x")
    said = []
    for name in (NAME, "0" * 64):
        with pytest.raises(NotFound) as refused:
            access.find({"bob"}, name)
        said.append(refused.value.to_json())
    assert said[0] == said[1]


async def test_who_uploads_too_much_is_told_when_to_try_again() -> None:
    now = [100.0]
    access = BlobAccess(FakeBlobs(), is_shown=lambda _: False, quota=UploadQuota(10, lambda: now[0]))
    await access.put({"alice", "token 1"}, b"12345678")
    for who in ({"alice"}, {"token 1"}):
        with pytest.raises(QuotaExceeded) as refused:
            await access.put(who, b"123")
        assert refused.value.details == {"retry_after_s": 3600}
    await access.put({"alice", "token 1"}, b"12")  # a refusal counts for nothing
    await access.put({"bob"}, b"1234567890")
    now[0] += 3600
    await access.put({"alice"}, b"1234567890")


def test_what_is_remembered_of_users_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_runtimed.handlers.upload_quota.MAX_NAMES", 2)
    now = [0.0]
    quota = UploadQuota(10, lambda: now[0])
    for name in ("a", "b", "c"):
        quota.charge({name}, 10)
        now[0] += 1800
    assert set(quota._hours) == {"b", "c"}


@pytest.mark.parametrize("name", ["", "x", NAME.upper(), NAME + "0", NAME[:-1] + "\n"])
def test_what_cannot_name_a_blob_is_a_bad_request(name: str) -> None:
    with pytest.raises(BadRequest):
        BlobAccess(FakeBlobs(), is_shown=lambda _: True).find(set(), name)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("", None),
        ("bytes=0-4", (0, 5)),
        (" bytes=0-4 ", (0, 5)),
        ("bytes=9-", (9, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=3-99", (3, 10)),
        ("bytes=4-3", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
    ],
)
def test_ranges_are_read_as_rfc_9110_says(header: str | None, part: tuple[int, int] | None) -> None:
    assert read_range(header, 10) == part


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_a_range_outside_the_blob_cannot_be_given(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable):
        read_range(header, size)


def test_no_type_that_is_shown_is_a_page_or_a_program() -> None:
    assert not {
        kind
        for kind in SHOWN_TYPES
        if "html" in kind or "javascript" in kind or kind in ("text/xml", "application/xml")
    }

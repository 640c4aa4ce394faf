"""Delivery into Maildirs on a real disk."""

from __future__ import annotations

import asyncio
import mailbox
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailadmin.accounts.addresses import AddressError, normal_address
from mailadmin.queue.envelopes import Verdict
from smtpd.delivery.maildir import MaildirAgent
from smtpd.delivery.maildir_files import MaildirFile, clear_abandoned, mailbox_path, used
from tests.cast import BECKY, OUTLOOK
from tests.delivery.material import TEXT, body, deliver, message, one, recipient, run, send

HERE = {BECKY.address, OUTLOOK.address}


def maildir(root: Path, quota: int | None = None) -> MaildirAgent:
    async def which(address: str) -> str | None:
        local, _, domain = address.lower().rpartition("@")
        untagged = f"{local.partition('+')[0]}@{domain}"
        return next((name for name in (address.lower(), untagged) if name in HERE), None)

    async def most(_address: str) -> int | None:
        return quota

    return MaildirAgent(root, mailbox=which, quota=most)


def new_files(root: Path, address: str = BECKY.address) -> list[Path]:
    return sorted((mailbox_path(root, address) / "new").iterdir())


def test_the_message_is_written_octet_for_octet_below_two_header_fields(tmp_path: Path, on_asyncio: bool) -> None:
    letter = message((recipient(BECKY.address),), sender=OUTLOOK.address)
    text = TEXT + "四時に\r\n".encode("iso-2022-jp") + b"\xff\r\n"
    verdict = one(send(maildir(tmp_path), letter, body(text[:9], text[9:]), on_asyncio=on_asyncio))
    assert verdict == Verdict(
        "delivered", "mailbox", 0, "2.0.0", "Written to the mailbox.", str(tmp_path / "example.org" / "ichiro")
    )
    (file,) = new_files(tmp_path)
    head = f"Return-Path: <{OUTLOOK.address}>\r\nDelivered-To: {BECKY.address}\r\n".encode()
    assert file.read_bytes() == head + text
    assert file.name.endswith(f",S={file.stat().st_size}")


def test_others_read_the_mailbox(tmp_path: Path) -> None:
    send(maildir(tmp_path), message((recipient(BECKY.address),)))
    (letter,) = mailbox.Maildir(tmp_path / "example.org" / "ichiro", create=False)
    assert letter["subject"] == "tea"
    assert letter["delivered-to"] == BECKY.address


def test_folders_and_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    root = tmp_path / "mailboxes"
    old = os.umask(0)
    try:
        send(maildir(root), message((recipient(BECKY.address),)))
    finally:
        os.umask(old)
    folders = [root, root / "example.org", mailbox_path(root, BECKY.address), new_files(root)[0].parent]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert stat.S_IMODE(new_files(root)[0].stat().st_mode) == 0o600


def test_tmp_is_empty_afterwards(tmp_path: Path) -> None:
    send(maildir(tmp_path), message((recipient(BECKY.address),)))
    assert not list((mailbox_path(tmp_path, BECKY.address) / "tmp").iterdir())


def test_a_tagged_address_keeps_its_tag_in_the_header(tmp_path: Path) -> None:
    send(maildir(tmp_path), message((recipient("Ichiro+shop@example.org"),)))
    assert b"Delivered-To: Ichiro+shop@example.org\r\n" in new_files(tmp_path)[0].read_bytes()


def test_each_recipient_has_its_own_copy_and_verdict(tmp_path: Path) -> None:
    to = (recipient(BECKY.address, 1), recipient("nobody@example.org", 2), recipient(OUTLOOK.address, 3))
    verdicts = send(maildir(tmp_path), message(to))
    assert [(verdict.outcome, verdict.enhanced) for verdict in verdicts.values()] == [
        ("delivered", "2.0.0"),
        ("failed", "5.1.1"),
        ("delivered", "2.0.0"),
    ]
    assert len(new_files(tmp_path)) == len(new_files(tmp_path, OUTLOOK.address)) == 1


def test_the_null_sender_is_a_pair_of_brackets(tmp_path: Path) -> None:
    send(maildir(tmp_path), message((recipient(BECKY.address),), sender=""))
    assert new_files(tmp_path)[0].read_bytes().startswith(b"Return-Path: <>\r\n")


def test_an_address_cannot_begin_a_header_field_of_its_own(tmp_path: Path) -> None:
    letter = message((recipient(BECKY.address),), sender="a\r\nBcc: b@example.net")
    send(maildir(tmp_path), letter)
    assert new_files(tmp_path)[0].read_bytes().startswith(b"Return-Path: <a??Bcc: b@example.net>\r\nDelivered-To")


def test_names_never_repeat_however_many_come_at_once(tmp_path: Path) -> None:
    async def many() -> None:
        agent = maildir(tmp_path)
        letter = message((recipient(BECKY.address),))
        await asyncio.gather(*(agent.deliver(letter, letter.recipients, body()) for _ in range(30)))
        await agent.close()

    run(many())
    assert len(new_files(tmp_path)) == 30


# Room.


def test_a_full_mailbox_defers_in_words(tmp_path: Path) -> None:
    letter = message((recipient(BECKY.address),), size=400)
    assert one(send(maildir(tmp_path, 1000), letter, body(b"x" * 398 + b"\r\n"))).outcome == "delivered"
    assert one(send(maildir(tmp_path, 1000), letter, body(b"x" * 398 + b"\r\n"))).outcome == "delivered"
    verdict = one(send(maildir(tmp_path, 1000), letter))
    assert (verdict.outcome, verdict.stage, verdict.enhanced) == ("deferred", "mailbox", "4.2.2")
    assert "of 1000 octets are used" in verdict.reply
    assert len(new_files(tmp_path)) == 2


def test_what_is_used_is_counted_by_names_and_else_by_files(tmp_path: Path) -> None:
    for folder, name, size in (("new", "1.a.host,S=70", 1), ("cur", "2.b.host:2,S", 30), ("cur", "3.c.host,S=5:2,", 9)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(b"x" * size)
    assert used(tmp_path) == 70 + 30 + 5
    assert used(tmp_path / "absent") == 0


def leave_no_room(folder: Path) -> None:
    """Turn the only open file in `folder` into one whose every write says ENOSPC."""
    (file,) = folder.iterdir()
    (handle,) = (int(entry.name) for entry in Path("/proc/self/fd").iterdir() if entry.resolve() == file)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, handle)
    os.close(full)


def test_a_disk_that_is_full_defers_with_its_own_code(tmp_path: Path) -> None:
    async def fills_the_disk() -> AsyncIterator[bytes]:
        yield TEXT
        leave_no_room(mailbox_path(tmp_path, BECKY.address) / "tmp")
        yield TEXT

    verdict = one(send(maildir(tmp_path), message((recipient(BECKY.address),)), fills_the_disk))
    assert (verdict.outcome, verdict.stage, verdict.enhanced) == ("deferred", "mailbox", "4.3.1")
    assert "disk of the mailboxes is full" in verdict.reply
    assert not [path for path in mailbox_path(tmp_path, BECKY.address).rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_made_defers_in_words(tmp_path: Path) -> None:
    (tmp_path / "example.org").write_text("in the way")
    verdict = one(send(maildir(tmp_path), message((recipient(BECKY.address),))))
    assert (verdict.outcome, verdict.stage, verdict.enhanced) == ("deferred", "mailbox", "4.3.0")
    assert "cannot be written" in verdict.reply


# Breaking off.


def test_a_store_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield TEXT
        raise RuntimeError("database")

    verdict = one(send(maildir(tmp_path), message((recipient(BECKY.address),)), broken))
    assert (verdict.outcome, verdict.enhanced) == ("deferred", "4.3.0")
    assert not [path for path in mailbox_path(tmp_path, BECKY.address).rglob("*") if path.is_file()]


def test_a_cancelled_delivery_leaves_nothing_behind(tmp_path: Path) -> None:
    async def cancelled() -> None:
        reached = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield TEXT
            reached.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(deliver(maildir(tmp_path), message((recipient(BECKY.address),)), endless))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancelled())
    assert not [path for path in mailbox_path(tmp_path, BECKY.address).rglob("*") if path.is_file()]


def test_a_file_that_was_abandoned_takes_nothing_more(tmp_path: Path) -> None:
    file = MaildirFile(tmp_path / "box")
    file.open(b"")
    file.abandon()
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.write(b"x")
    unopened = MaildirFile(tmp_path / "box")
    unopened.abandon()
    with pytest.raises(OSError, match="cancel"):
        unopened.open(b"")


def test_only_what_is_36_hours_old_is_taken_for_abandoned(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    for name, age in (("old", 37 * 3600), ("young", 35 * 3600)):
        path = tmp_path / "tmp" / name
        path.touch()
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    clear_abandoned(tmp_path)
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["young"]


# Paths.


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_address_leads_out_of_its_place(local: str, domain: str) -> None:
    root = Path("/root-of/mailboxes")
    if not local or not domain or "@" in domain:
        return
    path = mailbox_path(root, f"{local}@{domain}")
    assert path.parent.parent == root
    assert os.path.normpath(path) == str(path)
    assert "\0" not in str(path)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_two_mailboxes_never_share_a_folder(one_name: str, other: str) -> None:
    try:
        names = {normal_address(f"{name}@example.org") for name in (one_name, other)}
    except AddressError:
        return
    assert len({mailbox_path(Path("/m"), name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("a/b@example.org", "/m/example.org/a%2fb"),
        ("a%2fb@example.org", "/m/example.org/a%252fb"),
        ("..@example.org", "/m/example.org/%2e."),
        ("花子@example.org", "/m/example.org/花子"),
    ],
)
def test_a_mailbox_is_where_the_documentation_says(address: str, path: str) -> None:
    assert str(mailbox_path(Path("/m"), address)) == path


@pytest.mark.parametrize("address", ["", "a", "@", "@b", "a@"])
def test_what_is_no_address_has_no_folder(address: str) -> None:
    with pytest.raises(ValueError, match="local-part@domain"):
        mailbox_path(Path("/m"), address)

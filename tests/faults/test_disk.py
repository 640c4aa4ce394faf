"""A full or read-only disk is told in words, on the wire and on the command line, and loses nothing."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests import cast
from tests.faults.traffic import processes
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.postgresql import Cluster
from tests.ground.requirements import program, root
from tests.ground.wire import signed_in
from tests.interop.messages import FAR, PLAIN

SIZE: Final = "24m"
LARGE_BODY: Final = b"0123456789abcdef" * 4 + b"\r\n"


@pytest.fixture
def cramped(product_template: Template) -> Iterator[Product]:
    """A product whose state folder is a disk of its own, a small one."""
    root()
    made = product_template.copy()
    contents = made.home.with_name(made.home.name + "-contents")
    made.home.rename(contents)
    made.home.mkdir()
    mounted = _mount("-t", "tmpfs", "-o", f"size={SIZE},mode=711", "tmpfs", str(made.home))
    shutil.copytree(contents, made.home, dirs_exist_ok=True)
    shutil.rmtree(contents)
    if not mounted:
        made.remove()
        pytest.skip("file systems cannot be mounted here")
    yield made
    made.kill()
    subprocess.run([program("umount"), "--lazy", made.home], check=True)
    made.remove()


def _mount(*arguments: str) -> bool:
    return subprocess.run([program("mount"), *arguments], check=False).returncode == 0


def _fill(folder: Path) -> Path:
    """Take all room that is left, and return the file that has it."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return path


@pytest.fixture
def cramped_cluster() -> Iterator[tuple[Cluster, Path]]:
    """A cluster of PostgreSQL on a small disk of its own, and where that disk is."""
    root()
    with tempfile.TemporaryDirectory(prefix="mailadmin-pg-") as name:
        if not _mount("-t", "tmpfs", "-o", "size=400m,mode=755", "tmpfs", name):
            pytest.skip("file systems cannot be mounted here")
        try:
            made = Cluster(Path(name))
            made.start()
            yield made, Path(name)
            made.stop()
        finally:
            subprocess.run([program("umount"), "--lazy", name], check=True)


@pytest.mark.postgresql_only
def test_a_full_disk_of_postgresql_is_told_as_452_and_all_goes_on_when_there_is_room(
    cramped_cluster: tuple[Cluster, Path],
) -> None:
    cluster, disk = cramped_cluster
    template = Template(cluster.url)
    product = template.copy()
    try:
        product.command("queue", "pause")
        product.start()
        before = processes(product)
        message = PLAIN.data + LARGE_BODY * 300
        with signed_in(product) as wire:
            assert wire.message(cast.BECKY.address, cast.OUTLOOK.address, message).startswith(b"250")
            filler = _fill(disk)
            accepted, reply = 0, b"250"
            while reply.startswith(b"250") and accepted < 1000:  # what the files have spare takes a few
                reply = wire.message(cast.BECKY.address, cast.OUTLOOK.address, message)
                accepted += reply.startswith(b"250")
            assert reply.startswith(b"452 4.3.1 "), reply
            filler.unlink()
            wait_until(
                lambda: wire.message(cast.BECKY.address, cast.OUTLOOK.address, message).startswith(b"250"),
                "a message is taken again",
            )
        assert _held(product) == accepted + 2
        product.command("queue", "resume")
        product.wait_for_states(delivered=accepted + 2)
        assert processes(product) == before
    finally:
        product.remove()
        template.remove()


def _held(product: Product) -> int:
    return int(product.database.value("SELECT count(*) FROM queue_message"))


@pytest.mark.sqlite_only
@pytest.mark.parametrize("size", [1_000, 2_000_000], ids=["small", "large"])
def test_a_full_disk_is_told_as_452_and_all_goes_on_when_there_is_room(cramped: Product, size: int) -> None:
    product = cramped
    product.command("queue", "pause")
    product.start()
    before = {role: product.pids(role) for role in ("worker", "runner")}
    message = PLAIN.data + LARGE_BODY * (size // len(LARGE_BODY))
    with signed_in(product) as wire:
        assert wire.message(cast.BECKY.address, cast.OUTLOOK.address, message).startswith(b"250")
        filler = _fill(product.home)
        accepted, reply = 0, b"250"
        while reply.startswith(b"250") and accepted < 100:  # what the files have spare takes a few
            reply = wire.message(cast.BECKY.address, cast.OUTLOOK.address, message)
            accepted += reply.startswith(b"250")
        assert reply.startswith(b"452 4.3.1 "), reply
        filler.unlink()
        wait_until(
            lambda: wire.message(cast.BECKY.address, cast.OUTLOOK.address, message).startswith(b"250"),
            "a message is taken again",
        )
    assert _held(product) == accepted + 2
    product.command("queue", "resume")
    product.wait_for_states(delivered=accepted + 2)
    assert {role: product.pids(role) for role in ("worker", "runner")} == before


@pytest.mark.sqlite_only
def test_a_full_disk_keeps_what_waits_and_delivers_it_when_there_is_room(cramped: Product) -> None:
    product = cramped
    product.command("queue", "pause")
    panel = product.up()
    assert panel.sign_in(cast.ADMINISTRATOR).status == 200
    with signed_in(product) as wire:
        for _ in range(5):
            assert wire.message(cast.BECKY.address, cast.OUTLOOK.address, PLAIN.data).startswith(b"250")
        assert wire.message(cast.BECKY.address, FAR, PLAIN.data).startswith(b"550")
    filler = _fill(product.home)
    words = "The disk is nearly full: 0 MB are free."
    assert words in product.command("doctor", status=1)
    assert words in panel.get("/").text
    filler.unlink()
    product.command("queue", "resume")
    product.wait_for_states(delivered=5)
    assert len(product.mailbox(cast.OUTLOOK)) == 5


@pytest.mark.sqlite_only
@pytest.mark.parametrize("arguments", [("smtpd",), ("up",), ("account", "suspend", cast.BECKY.address)], ids=" ".join)
def test_a_read_only_state_folder_is_told_in_a_sentence(cramped: Product, arguments: tuple[str, ...]) -> None:
    assert _mount("-o", "remount,ro", str(cramped.home))
    said = cramped.command(*arguments, status=1)
    assert "Traceback" not in said
    assert "writable" in said or "written" in said
    assert str(cramped.home) in said

"""Started as root, the daemon gives up all of it but the right to bind low ports, which the supervisor keeps."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from mailadmin import unprivileged
from smtpd.privileges import CAP_NET_BIND_SERVICE
from tests import cast
from tests.daemon.processes import all_of, greeting, one_of, problems, refused, status
from tests.ground.checkout import PYTHON, ROOT, environment
from tests.ground.daemon import Product, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
NOBODY = pwd.getpwnam("nobody")
ONLY_LOW_PORTS = 1 << CAP_NET_BIND_SERVICE


def _low_port() -> int:
    """Return a port below 1024 on which nobody listens."""
    return next(port for port in range(1023, 600, -1) if refused(port))


def _rights(pid: int) -> tuple[set[str], set[str], str, dict[str, int]]:
    """Return user ids, group ids, the no_new_privs flag and the capability masks of a process."""
    facts = status(pid)
    masks = {name: int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
    return set(facts["Uid"].split()), set(facts["Gid"].split()), facts["NoNewPrivs"], masks


def test_workers_and_runner_have_no_right_of_roots_left(product: Product) -> None:
    product.start("smtpd", "--user", "nobody")
    for role in ("worker", "runner"):
        pid = one_of(product, role)
        users, groups, no_new_privileges, masks = _rights(pid)
        assert users == {str(NOBODY.pw_uid)}
        assert groups == {str(NOBODY.pw_gid)}
        assert "0" not in status(pid)["Groups"].split()
        assert no_new_privileges == "1"
        assert set(masks.values()) == {0}


def test_the_supervisor_keeps_the_right_to_bind_low_ports_alone(product: Product) -> None:
    process = product.start("smtpd", "--user", "nobody")
    users, groups, no_new_privileges, masks = _rights(process.pid)
    assert (users, groups, no_new_privileges) == ({str(NOBODY.pw_uid)}, {str(NOBODY.pw_gid)}, "1")
    assert masks == {"CapInh": 0, "CapPrm": ONLY_LOW_PORTS, "CapEff": ONLY_LOW_PORTS, "CapAmb": 0}


def test_a_listener_moves_to_a_low_port_while_the_daemon_runs_without_root(product: Product) -> None:
    product.start("smtpd", "--user", "nobody")
    before, port = all_of(product), _low_port()
    product.command("listener", "set", "mx", "--port", str(port))
    wait_until(lambda: not refused(port), "the low port is open")
    assert greeting(port).startswith(b"220 ")
    assert all_of(product) == before


def test_a_low_port_without_that_right_is_told_in_words(product: Product) -> None:
    product.choose_ports()
    product.database.rows("UPDATE listeners_listener SET port=%s WHERE name='submissions'", _low_port())
    # setpriv starts it with root's user id but without a single capability, which a container may do, too.
    product.start(before=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    wait_until(lambda: "need the right to bind them" in problems(product, "supervisor"), "the problem is told")


def test_the_state_folder_is_handed_to_the_user(product: Product) -> None:
    product.start("smtpd", "--user", "nobody")
    owners = {path.stat().st_uid for path in (product.home, *product.home.rglob("*")) if path != product.log}
    assert owners == {NOBODY.pw_uid}


def test_without_a_word_it_becomes_the_owner_of_the_state_folder(product: Product) -> None:
    owner = pwd.getpwnam("daemon")
    for path in (product.home, *product.home.iterdir()):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    process = product.start()
    assert status(process.pid)["Uid"].split()[0] == str(owner.pw_uid)


def test_a_user_who_cannot_reach_the_state_folder_is_refused_when_asked_for(product: Product, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    home = tmp_path / "home"
    shutil.copytree(product.home, home)
    closed = Product(home)
    assert "cannot reach the state folder" in closed.command("smtpd", "--user", "nobody", status=2)


def test_an_unknown_user_is_refused_with_words(product: Product) -> None:
    assert "There is no user 'nosuchuser'" in product.command("smtpd", "--user", "nosuchuser", status=2)


@pytest.mark.sqlite_only
def test_where_nobody_can_reach_the_state_folder_root_goes_on_and_says_so(product: Product, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    home = tmp_path / "home"
    shutil.copytree(product.home, home)
    closed = Product(home)
    try:
        closed.start()
        wait_until(lambda: "runs as root" in problems(closed, "supervisor"), "the warning is in the panel")
        assert "running as root" in closed.log_text()
        with closed.client("submission", cast.BECKY) as client:
            assert client.noop()[0] == 250
        assert closed.stop() == 0
    finally:
        closed.kill()


def test_a_program_in_a_folder_that_the_user_cannot_read_works_all_the_same(product: Product, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for name in ("mailadmin", "smtpd", "templates", "static"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    product.choose_ports()
    command = [PYTHON, str(tmp_path / "manage.py"), "smtpd", "--user", "nobody"]
    with product.log.open("ab") as log:
        product.process = subprocess.Popen(
            command, cwd=tmp_path, env=environment(**product.variables), stdout=log, stderr=log, start_new_session=True
        )
    wait_until(lambda: not refused(product.ports["submission"]), "the daemon listens", 30)
    with product.client("submission", cast.BECKY) as client:
        client.sendmail(
            cast.BECKY.address,
            [cast.OUTLOOK.address, cast.BECKY.address],
            f"From: {cast.BECKY.address}\r\nSubject: =?iso-2022-jp?B?GyRCJDMbKEI=?=\r\n\r\nhello\r\n",
        )
    wait_until(lambda: bool(product.mailbox(cast.BECKY)), "the mail is in the mailbox", 40)
    # A worker that is started later shares what was imported, too.
    os.kill(one_of(product, "worker"), signal.SIGKILL)
    with product.client("submission", cast.BECKY) as client:
        assert client.noop()[0] == 250
    assert "Permission denied" not in product.log_text()
    assert "Traceback" not in product.log_text()


def test_a_file_with_a_second_name_is_not_handed_over(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("root's")
    home = tmp_path / "home"
    (home / "mailboxes").mkdir(parents=True)
    (home / "mailboxes" / "link").hardlink_to(outside)
    (home / "pointer").symlink_to(outside)
    (home / "plain").write_text("mail")
    unprivileged.hand_over(home, unprivileged.User("nobody", NOBODY.pw_uid, NOBODY.pw_gid, ()))
    assert outside.stat().st_uid == 0
    assert {path.stat().st_uid for path in (home, home / "mailboxes", home / "plain")} == {NOBODY.pw_uid}

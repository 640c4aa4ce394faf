"""Mail clients, each told to send one letter through one port of the product, signed in and under verified TLS."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from tests import cast
from tests.ground.checkout import environment
from tests.ground.daemon import Product
from tests.ground.requirements import program
from tests.interop.messages import Letter
from tests.interop.postfix import Postfix, postfix

SENDER: Final = cast.BECKY


def _run(*command: str | Path, stdin: bytes = b"", **variables: str) -> None:
    result = subprocess.run(
        command, input=stdin, capture_output=True, check=False, timeout=120, env=environment(**variables)
    )
    assert result.returncode == 0, (
        f"{command[0]}: {result.returncode}\n{result.stdout[-2000:]!r}{result.stderr[-2000:]!r}"
    )


class Client(ABC):
    """A way of sending; one object serves one product and one listener."""

    name: ClassVar[str]
    knows_utf8: ClassVar[bool] = True

    def __init__(self, product: Product, listener: str, folder: Path) -> None:
        """Send to `listener` of `product`; files go into `folder`."""
        self._product = product
        self._listener = listener
        self._implicit = listener == "submissions"
        self._port = str(product.ports[listener])
        self._folder = folder
        self._trust = folder / "trust.pem"
        self._trust.write_text(product.certificate)

    @abstractmethod
    def send(self, letter: Letter) -> None:
        """Send `letter`; raise AssertionError when the client says that it could not."""


class Smtplib(Client):
    """Python's own."""

    name = "smtplib"

    def send(self, letter: Letter) -> None:
        """Send by sendmail()."""
        options = ["BODY=8BITMIME"] if letter.eight_bit else []
        with self._product.client(self._listener, SENDER) as client:
            client.sendmail(
                SENDER.address, letter.recipients, letter.data, [*options, *(["SMTPUTF8"] if letter.utf8 else [])]
            )


class Swaks(Client):
    """The Swiss army knife for SMTP; it knows no SMTPUTF8."""

    name = "swaks"
    knows_utf8 = False

    def send(self, letter: Letter) -> None:
        """Send the octets as they are: told to mend nothing, swaks wants dots doubled and the final one given."""
        data = self._folder / "swaks.data"
        data.write_bytes((b"\r\n" + letter.data).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        _run(
            program("swaks"), "--server", "127.0.0.1", "--port", self._port, "--ehlo", "client.test",
            "--tls-on-connect" if self._implicit else "--tls", "--tls-verify", "--tls-ca-path", self._trust,
            "--auth", "LOGIN" if self._implicit else "PLAIN",
            "--auth-user", SENDER.address, "--auth-password", SENDER.password,
            "--from", SENDER.address, "--to", ",".join(letter.recipients),
            "--no-data-fixup", "--data", f"@{data}", "--suppress-data", "--timeout", "60",
        )  # fmt: skip


class Msmtp(Client):
    """A sendmail stand-in."""

    name = "msmtp"
    knows_utf8 = False  # it sends such addresses, but not the parameter

    def send(self, letter: Letter) -> None:
        """Send from standard input, with lines ended as on Unix; msmtp makes them CRLF."""
        _run(
            program("msmtp"), "--file=/dev/null", "--host=127.0.0.1", f"--port={self._port}", "--domain=client.test",
            "--tls=on", f"--tls-starttls={'off' if self._implicit else 'on'}", f"--tls-trust-file={self._trust}",
            f"--auth={'login' if self._implicit else 'plain'}", f"--user={SENDER.address}",
            f"--passwordeval=echo {SENDER.password}", f"--from={SENDER.address}", "--timeout=60",
            "--", *letter.recipients,
            stdin=letter.data.replace(b"\r\n", b"\n"),
        )  # fmt: skip


class Curl(Client):
    """curl's smtp:// and smtps://."""

    name = "curl"

    def send(self, letter: Letter) -> None:
        """Upload the letter as a file."""
        data = self._folder / "curl.data"
        data.write_bytes(letter.data)
        recipients = [argument for address in letter.recipients for argument in ("--mail-rcpt", address)]
        _run(
            program("curl"), "--silent", "--show-error", "--ssl-reqd", "--cacert", self._trust,
            "--url", f"{'smtps' if self._implicit else 'smtp'}://127.0.0.1:{self._port}/client.test",
            "--user", f"{SENDER.address}:{SENDER.password}",
            "--login-options", "AUTH=LOGIN" if self._implicit else "AUTH=PLAIN",
            "--mail-from", SENDER.address, *recipients, "--upload-file", data, "--max-time", "60",
            LC_ALL="C.UTF-8",
        )  # fmt: skip


class ThroughPostfix(Client):
    """Postfix's smtp(8), signing in for whoever hands it mail."""

    name = "Postfix"
    running: Postfix

    def send(self, letter: Letter) -> None:
        """Hand the letter to Postfix, which sends it on."""
        self.running.send(SENDER.address, letter.recipients, letter.data, utf8=letter.utf8)


CLIENTS: Final = {client.name: client for client in (Swaks, Msmtp, Curl, Smtplib, ThroughPostfix)}


@contextmanager
def client(name: str, product: Product, listener: str, folder: Path) -> Iterator[Client]:
    """Give the client `name`, ready to send through `listener`."""
    made = CLIENTS[name](product, listener, folder)
    if isinstance(made, ThroughPostfix):
        with postfix(product, listener) as running:
            made.running = running
            yield made
    else:
        yield made

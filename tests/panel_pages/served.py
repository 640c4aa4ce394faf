"""The panel as it is really served: gunicorn in a process of its own, over the database of a product."""

from __future__ import annotations

import http.client
import re
import ssl
import subprocess
import time
from contextlib import suppress
from http.cookies import SimpleCookie
from typing import Final

from tests import cast
from tests.ground.checkout import PYTHON, ROOT, environment
from tests.ground.daemon import Product, wait_until
from tests.ground.ports import free_port

PATIENCE: Final = 10.0


class Stream:
    """An open stream of events; reading waits at most `PATIENCE` seconds."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.status = response.status

    def frame(self) -> dict[str, str]:
        """Return the next event by its fields; comments are passed over."""
        fields: dict[str, str] = {}
        while True:
            line = self._response.readline().decode().rstrip("\n")
            if not line and "data" in fields:
                return fields
            if not line and self._response.isclosed():
                raise EOFError
            name, _, value = line.partition(": ")
            if name in {"id", "event", "data"}:
                fields[name] = fields.get(name, "") + value

    def rest(self) -> bytes:
        """Return what comes until the server ends the stream."""
        return self._response.read()

    def close(self) -> None:
        """Hang up."""
        self._response.close()
        self._connection.close()


class Panel:
    """gunicorn with the panel of `product`, and a browser in which its administrator is signed in."""

    def __init__(self, product: Product, *, tls: bool = False) -> None:
        self.product = product
        self.tls = tls
        self.port = free_port()
        self._cookies: dict[str, str] = {}
        self._log = product.home / "panel.log"
        variables = {"MAILADMIN_PANEL_BIND": f"127.0.0.1:{self.port}", "MAILADMIN_PANEL_TLS": "1" if tls else "0"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [PYTHON, "-m", "gunicorn", "-c", "python:mailadmin.panel.serve"],
                cwd=ROOT,
                env=environment(**product.variables, **variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, "the panel answers", 30)

    @property
    def base(self) -> str:
        """The panel's address, without a slash at its end."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def _answers(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        with suppress(OSError, http.client.HTTPException):
            return self.get("/healthz")[0] == 200  # as HTTP has it
        return False

    def _connection(self) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        context = ssl.create_default_context(cadata=self.product.certificate)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE, context=context)

    def _headers(self, **more: str) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return {"Cookie": cookie, "Accept-Language": "en", **more}

    def _request(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        connection = self._connection()
        try:
            connection.request(method, path, body or None, self._headers(**headers))
            response = connection.getresponse()
            text = response.read().decode()
            for header in response.headers.get_all("Set-Cookie") or ():
                self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
            return response.status, text
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a page."""
        return self._request("GET", path)

    def sign_in(self) -> None:
        """Sign the administrator in."""
        _, page = self.get("/login/")
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found is not None
        person = cast.ADMINISTRATOR
        address = person.address.replace("@", "%40")
        body = f"csrfmiddlewaretoken={found[1]}&address={address}&password={person.password}"
        origin = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        form = {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"{origin}/login/", "Origin": origin}
        status, text = self._request("POST", "/login/", body, **form)
        assert status == 302, text  # as HTTP has it

    def stream(self, query: str = "show=sign-ins", **headers: str) -> Stream:
        """Open a stream."""
        connection = self._connection()
        connection.request("GET", f"/live/?{query}", headers=self._headers(**headers))
        return Stream(connection, connection.getresponse())

    def stop(self) -> float:
        """End it in an orderly way; return how many seconds that took."""
        started = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return time.monotonic() - started


def knock(product: Product, login: str, result: str = "unknown", client: str = "203.0.113.7") -> None:
    """Write a sign-in as the daemon would: from another process's connection."""
    product.database.rows(
        "INSERT INTO activity_signin (at, login, listener, client, mechanism, tls, helo, result)"
        " VALUES (CURRENT_TIMESTAMP, %s, 'submission', %s, 'LOGIN', '', '', %s)",
        login,
        client,
        result,
    )

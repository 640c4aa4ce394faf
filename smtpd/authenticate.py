"""Runs one SASL exchange for a session: mechanism, account, password, verdict.

    session                      Attempt                         mechanism (sans-IO)
    AUTH PLAIN <response>  --->  decode  ----------------------> generator
                                 account row, hash, memory <---- CheckPassword
                           <---  Success | Failure | Challenge
    334 … <response>       --->  step(response) …

Whatever takes time makes `step` return a Future; what is remembered is answered at once, without one.

This is the only place that makes decoys. A name without an account, a wrong password, a suspended account and a
password for somebody else's name are one reply on the wire and cost one hash: for a name without an account the hash
is that of a decoy verifier, made from the name by a secret of the process, so that it is remembered under the same
terms as a real one, too. Which it was goes into the sign-in event alone.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal, Protocol, TypeVar

from mailadmin.accounts.addresses import AddressError, normal_address
from mailadmin.policy.snapshot import Snapshot
from mailadmin.sasl import verifiers
from smtpd.hashing import Hashing, TemporaryFailure
from smtpd.identity import AccountRow
from smtpd.sasl import MECHANISMS, exchange
from smtpd.sasl.encoding import EncodingError, decode, decode_initial
from smtpd.sasl.exchange import Authenticated, CheckPassword, Mechanism
from smtpd.sasl.saslprep import PreparationError, prepare
from smtpd.smtp import replies

DEFAULT_COST: Final = 12  # of a decoy, until a real verifier has been seen

# How a sign-in ended, for its event (activity.models.SignIn.result).
FailureCode = Literal[
    "unknown", "password", "suspended", "mechanism", "tls-required", "malformed", "aborted", "temporary"
]
T = TypeVar("T")
log = logging.getLogger(__name__)


class Accounts(Protocol):
    """Where accounts are read from (`smtpd.store.Store`)."""

    def account_by_address(self, address: str) -> AccountRow | asyncio.Future[AccountRow | None] | None:
        """Return the account whose login is `address` (normal form); whatever it raises is a temporary failure."""
        ...


@dataclass(frozen=True, slots=True)
class Challenge:
    """The client is asked for a response; `reply` is the whole line."""

    reply: bytes


@dataclass(frozen=True, slots=True)
class Success:
    """The client is signed in as `account`."""

    account: AccountRow
    reply: bytes = replies.AUTH_OK


@dataclass(frozen=True, slots=True)
class Failure:
    """The client is not signed in; `result` is for the event, `reply` for the client."""

    result: FailureCode
    reply: bytes


Step = Challenge | Success | Failure
_FAILED: Final = replies.AUTH_FAILED


class Authenticator:
    """Begins exchanges; one for a process."""

    def __init__(self, accounts: Accounts, hashing: Hashing | None = None) -> None:
        self._accounts = accounts
        self._hashing = hashing or Hashing()
        self._secret = secrets.token_bytes(32)
        self._cost = DEFAULT_COST

    def begin(self, mechanism: str, snapshot: Snapshot, *, tls: bool, source: str) -> Attempt | Failure:
        """Begin an exchange, or say why there is none.

        Args:
            mechanism: as the client named it, in any case.
            snapshot: the policy in force.
            tls: whether the connection is encrypted.
            source: the client's address, by which its share of the hashing is counted.
        """
        name = mechanism.upper()
        found = MECHANISMS.get(name)
        if found is not None and name in (snapshot.mechanisms_with_tls if tls else snapshot.mechanisms_without_tls):
            return Attempt(found, self, source)
        if found is not None and not tls and name in snapshot.mechanisms_with_tls:
            return Failure("tls-required", replies.AUTH_NEEDS_TLS)
        return Failure("mechanism", replies.AUTH_UNKNOWN_MECHANISM)

    def close(self) -> None:
        """Let the hashing threads end."""
        self._hashing.close()

    def account(self, address: str) -> AccountRow | asyncio.Future[AccountRow | None] | None:
        """Return the account with this address (from `_address`); no account has the empty one."""
        return self._accounts.account_by_address(address) if address else None

    def check(self, row: AccountRow | None, name: str, password: bytes, source: str) -> bool | asyncio.Future[bool]:
        """Check a password at the price of one hash, whether there is an account or not.

        Args:
            row: the account; a decoy stands in for none, and for one whose verifier has no known form. No password
                fits a decoy.
            name: the address or, where the login is none, the login; each has a decoy of its own.
            password: the octets.
            source: the client's address.
        """
        cost = verifiers.cost(row.verifier) if row is not None else None
        if row is not None and cost is not None:
            # A decoy must cost what the accounts here cost, and that is a setting which can change under us.
            self._cost = cost
            return self._hashing.check(row.verifier, password, source)
        seed = blake2b(name.encode(), key=self._secret).digest()
        return self._hashing.check(verifiers.decoy(self._cost, seed), password, source)


class Attempt:
    """One exchange, from AUTH to its outcome.

    Attributes:
        mechanism: the mechanism's name.
        login: the user name as the client gave it, once it has; for the event.
        account: the account of that name, whether or not the sign-in works; for the event.
    """

    def __init__(self, mechanism: Mechanism, authenticator: Authenticator, source: str) -> None:
        self.mechanism = mechanism.name
        self.login = ""
        self.account: AccountRow | None = None
        self._mechanism = mechanism
        self._authenticator = authenticator
        self._source = source
        self._exchange: exchange.Exchange | None = None
        self._cause: FailureCode = "malformed"
        self._name = ""  # what a decoy is made from

    def step(self, response: bytes | None) -> Step | asyncio.Future[Step]:
        """Take what the client sent and say what follows, at once or by a Future that never raises.

        Args:
            response: a line without its end: the initial response as it stands after the mechanism's name (``=`` is an
                empty one), or None when there is none; later the answer to the challenge, where ``*`` gives up.
        """
        first = self._exchange is None
        if response == b"*" and not first:
            return self._end(Failure("aborted", replies.AUTH_ABORTED))
        if first and response is not None and not self._mechanism.initial_response:
            return Failure("malformed", replies.AUTH_NO_INITIAL_RESPONSE)
        try:
            octets = None if response is None else (decode_initial(response) if first else decode(response))
        except EncodingError:
            return self._end(Failure("malformed", replies.AUTH_BAD_BASE64))
        if self._exchange is None:
            self._exchange = self._mechanism.start(octets)
            return self._advance(None)
        return self._advance(octets or b"")

    def line_too_long(self) -> Failure:
        """End the exchange: the client's response is longer than any that is taken (RFC 4954 §4)."""
        return self._end(Failure("malformed", replies.AUTH_LINE_TOO_LONG))

    def _advance(self, answer: bytes | bool | None) -> Step | asyncio.Future[Step]:
        """Give the mechanism its answer and see to what it needs next."""
        if self._exchange is None:
            raise RuntimeError("the exchange has not begun")
        try:
            need = next(self._exchange) if answer is None else self._exchange.send(answer)
        except StopIteration as stop:
            return self._outcome(stop.value)
        if isinstance(need, CheckPassword):
            return self._guarded(self._look_up, need)
        return Challenge(replies.challenge(need.data))

    def _outcome(self, outcome: exchange.Outcome) -> Step:
        if isinstance(outcome, Authenticated) and self.account is not None:
            return Success(self.account)
        if isinstance(outcome, exchange.Rejected) and outcome.reason == "malformed":
            return Failure("malformed", replies.AUTH_MALFORMED)
        return Failure(self._cause, _FAILED)

    def _end(self, failure: Failure) -> Failure:
        if self._exchange is not None:
            self._exchange.close()
        return failure

    # --- CheckPassword: account, hash, verdict; each step at once or later --------------------------------------------

    def _look_up(self, need: CheckPassword) -> Step | asyncio.Future[Step]:
        self.login = need.login
        address = _address(need.login)
        self._name = address or need.login.lower()
        return self._then(self._authenticator.account(address), lambda row: self._verify(need, row))

    def _verify(self, need: CheckPassword, row: AccountRow | None) -> Step | asyncio.Future[Step]:
        self.account = row
        verdict = self._authenticator.check(row, self._name, need.password, self._source)
        return self._then(verdict, lambda right: self._verify_prepared(need, row, right=right))

    def _verify_prepared(
        self, need: CheckPassword, row: AccountRow | None, *, right: bool
    ) -> Step | asyncio.Future[Step]:
        """Try the password's SASLprep form, when it has one of its own (only ever beyond ASCII)."""
        try:
            prepared = prepare(need.password.decode()).encode()
        except PreparationError:
            prepared = need.password
        if right or prepared == need.password:
            return self._conclude(need, row, right=right)
        verdict = self._authenticator.check(row, self._name, prepared, self._source)
        return self._then(verdict, lambda second: self._conclude(need, row, right=second))

    def _conclude(self, need: CheckPassword, row: AccountRow | None, *, right: bool) -> Step | asyncio.Future[Step]:
        """Weigh everything up; the mechanism only hears yes or no."""
        if row is None:
            self._cause = "unknown"
        elif not right:
            self._cause = "password"
        elif row.suspended:
            self._cause = "suspended"
        elif need.authzid and _address(need.authzid) != row.address:
            self._cause = "malformed"
        else:
            return self._advance(answer=True)
        return self._advance(answer=False)

    def _then(
        self, value: T | asyncio.Future[T], then: Callable[[T], Step | asyncio.Future[Step]]
    ) -> Step | asyncio.Future[Step]:
        """Go on with `value`, now or when it is there."""
        if isinstance(value, asyncio.Future):
            return asyncio.ensure_future(self._later(value, then))
        return then(value)

    async def _later(self, value: asyncio.Future[T], then: Callable[[T], Step | asyncio.Future[Step]]) -> Step:
        try:
            step = self._guarded(then, await value)
        except TemporaryFailure:
            return self._temporary()
        except Exception:
            log.exception("a sign-in could not be decided")
            return self._temporary()
        return await step if isinstance(step, asyncio.Future) else step

    def _guarded(self, action: Callable[[T], Step | asyncio.Future[Step]], argument: T) -> Step | asyncio.Future[Step]:
        """Turn whatever goes wrong (the database away, too much waiting) into a temporary failure."""
        try:
            return action(argument)
        except TemporaryFailure:
            return self._temporary()
        except Exception:
            log.exception("a sign-in could not be decided")
            return self._temporary()

    def _temporary(self) -> Failure:
        return self._end(Failure("temporary", replies.AUTH_TEMPORARY))


def _address(identity: str) -> str:
    """Return a user name as an address in normal form; empty when it is none."""
    try:
        return normal_address(identity)
    except AddressError:
        return ""

"""The session of the submission listeners: who is signed in may send, from the addresses that are theirs (RFC 6409)."""

from __future__ import annotations

import unicodedata
from typing import cast

from mailadmin.accounts.addresses import may_send_as
from mailadmin.queue.envelopes import queue_id
from smtpd import limits
from smtpd.identity import AccountRow
from smtpd.sessions.engine import Answer
from smtpd.sessions.receiving import date_field
from smtpd.sessions.session import later
from smtpd.sessions.signing_in import SigningInSession
from smtpd.smtp import headers, replies
from smtpd.smtp.parameters import MailParameters, RcptParameters
from smtpd.smtp.paths import Path


class SubmissionSession(SigningInSession):
    """One connection of a mail client."""

    def keywords(self) -> tuple[str, ...]:
        """Offer the mechanisms that the rules allow on a connection like this one."""
        offered = self._mechanisms()
        return (f"AUTH {' '.join(sorted(offered, reverse=True))}",) if offered else ()

    def _mechanisms(self) -> frozenset[str]:
        snapshot = self.runtime.snapshot
        return snapshot.mechanisms_with_tls if self.tls else snapshot.mechanisms_without_tls

    def sender(self, path: Path, parameters: MailParameters) -> Answer:
        """Take a sender that the account, as it is at this moment, may send from."""
        if not self.session.authenticated:
            return replies.AUTH_REQUIRED if self._mechanisms() else replies.TLS_REQUIRED
        signed_in = cast("AccountRow", self.session.auth_data)
        return later(
            self.runtime.store.account_by_id(signed_in.id), lambda account: self._sender_of(account, path, parameters)
        )

    def _sender_of(self, account: AccountRow | None, path: Path, parameters: MailParameters) -> bytes:
        signed_in = cast("AccountRow", self.session.auth_data)
        if account is not None and account.suspended:
            return replies.ACCOUNT_SUSPENDED
        if account is None or account.epoch != signed_in.epoch:
            self.session.authenticated = None
            self.session.auth_data = None
            return replies.SIGN_IN_AGAIN
        # The null sender is for notices that people's programs send, such as read receipts (RFC 8098 §3); whose they
        # are is still in the header.
        address = unicodedata.normalize("NFC", path.address).lower() if path.utf8 else path.address.lower()
        if address and not may_send_as(account.patterns, address):
            return replies.sender_not_owned(path.address)
        return self.accept_sender(path, parameters, account.id, account.patterns)

    def recipient(self, path: Path, parameters: RcptParameters) -> Answer:
        """Take a recipient that exists here, or that there is a way to."""
        snapshot = self.runtime.snapshot
        domain = snapshot.domains.get(path.domain)
        if path.domain and domain is None:
            route = snapshot.route(path.domain)
            if route is None or route.via == "none":
                return replies.NO_ROUTE
            return self.accept_recipient(path, parameters, path.address)
        if domain is not None and domain.delivery == "lmtp":
            # While the server is away the mail waits here: the sender is known, and hears of it if it fails.
            return self.kept_recipient(path, parameters, domain, unverified=None)
        return self.local_recipient(path, parameters)

    def judge(self, block: bytes) -> bytes:
        """Hold the header to the account's own addresses, and mend what submission mends."""
        found = headers.inspect(block)
        if found.received_count > limits.HOPS:
            raise replies.Refused(replies.LOOP)
        envelope = self.envelope
        for address in (*found.from_addresses, *found.sender_addresses):
            if not may_send_as(envelope.patterns, address):
                raise replies.Refused(replies.from_not_owned(address))
        message_id = f"<{queue_id(envelope.message)}@{self.runtime.snapshot.hostname}>"
        envelope.message_id = found.message_id or message_id
        return found.fixed(
            self.received(client=False), date_field(int(self.runtime.clock())), message_id.encode("ascii", "replace")
        )

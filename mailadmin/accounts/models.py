"""Who may sign in, and which addresses they may send from."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.addresses import AddressError, normal_address


class AccountManager(BaseUserManager["Account"]):
    """Looks accounts up by their address in its normal form."""

    def get_by_natural_key(self, username: str | None) -> Account:
        """Return the account whose login is `username`, in whatever case it is typed.

        Raises:
            Account.DoesNotExist: there is none.
        """
        try:
            address = normal_address(username or "")
        except AddressError:
            raise self.model.DoesNotExist from None
        return self.get(address=address)


class Account(AbstractBaseUser):
    """A person (or a machine) with a mailbox address as login.

    `password` is a bcrypt verifier in Django's ``bcrypt_sha256$`` form; the daemon reads the same column.
    """

    address = models.CharField(_("address"), max_length=254, unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    is_administrator = models.BooleanField(_("administrator"), default=False)
    suspended_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(_("note"), blank=True, max_length=2000)
    quota = models.PositiveBigIntegerField(_("mailbox limit"), null=True, blank=True)  # octets; null is none
    language = models.CharField(_("language"), max_length=8, blank=True)
    created_at = models.DateTimeField()
    password_changed_at = models.DateTimeField()
    # Raised at every change that ends open sessions: a session signed in under another epoch must sign in again.
    epoch = models.PositiveIntegerField(default=1)

    objects: ClassVar[AccountManager] = AccountManager()
    USERNAME_FIELD = "address"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ["address"]

    def __str__(self) -> str:
        return self.address

    @property
    def is_active(self) -> bool:  # type: ignore[override]  # Django asks for the attribute; we store the time
        """Whether the account may sign in (Django's name for it)."""
        return self.suspended_at is None


class SenderAddress(models.Model):
    """An address that an account may send from, beside nothing else.

    `pattern` is in normal form: ``a@b`` (exact), ``a+*@b`` (any plus-tag of a@b, and a@b itself), ``*@b`` (a domain).
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="senders")
    pattern = models.CharField(max_length=254)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "pattern"], name="sender_once_per_account")]
        ordering = ["id"]

    def __str__(self) -> str:
        return self.pattern

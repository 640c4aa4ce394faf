"""The pages of accounts: the list, one account, and each change to it."""

from __future__ import annotations

from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailadmin.accounts import browse, facts, once, services
from mailadmin.accounts.forms import AddForm, DetailsForm, PasswordForm, RemoveForm
from mailadmin.accounts.models import Account
from mailadmin.panel import flash, form_errors
from mailadmin.panel.requests import PanelRequest

CHIPS = (
    ("all", gettext_lazy("All")),
    ("active", gettext_lazy("Active")),
    ("suspended", gettext_lazy("Suspended")),
    ("administrators", gettext_lazy("Administrators")),
)
RECENT = 10
UNPROCESSABLE = 422


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List the accounts, 50 a page, by search and filter in the URL."""
    query = request.GET.get("q", "").strip()
    show = request.GET.get("show", "all")
    chip = show if show in browse.SHOWN else "all"
    page = browse.page(search=query, show=chip, number=request.GET.get("page", "1"))
    return render(request, "accounts/list.html", {"page": page, "query": query, "chip": chip, "chips": CHIPS})


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: PanelRequest) -> HttpResponse:
    """Add an account, with a generated password unless one is typed."""
    form = AddForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        password = values["password"] or services.generate_password()
        try:
            account = services.add(
                actor=request.user.address,
                now=timezone.now(),
                address=values["address"],
                password=password,
                name=values["name"],
                is_administrator=values["is_administrator"],
                senders=values["senders"],
                note=values["note"],
                quota=form.octets,
            )
        except ValidationError as error:
            form_errors.take(form, error)
        else:
            if not values["password"]:
                once.keep(request.session, account, password)
            flash.done(request, _("%(address)s can sign in and send now.") % {"address": account.address})
            return redirect("accounts:detail", account.pk)
    return render(request, "accounts/add.html", {"form": form}, status=UNPROCESSABLE if form.errors else None)


@never_cache
@require_safe
def detail(request: PanelRequest, pk: int) -> HttpResponse:
    """Show one account; a password that was generated for it a moment ago appears this once."""
    account = get_object_or_404(Account.objects.prefetch_related("senders"), pk=pk)
    return render(
        request,
        "accounts/detail.html",
        {
            "account": account,
            "password": once.take(request.session, account),
            "settings": facts.client_settings(),
            "sign_ins": facts.sign_ins(account, RECENT),
            "proof": facts.proof(account),
            "waiting": facts.waiting(account),
        },
    )


@never_cache
@require_safe
def first_sign_in(request: HttpRequest, pk: int) -> HttpResponse:
    """Return the line that waits for a mail program; 204 while the page already shows all there is."""
    account = get_object_or_404(Account, pk=pk)
    proof = facts.proof(account)
    if request.GET.get("seen") == str(proof.mark):
        return HttpResponse(status=204)
    return render(request, "accounts/first_sign_in.html", {"account": account, "proof": proof})


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: PanelRequest, pk: int) -> HttpResponse:
    """Change name, senders, limit, note and rights."""
    account = get_object_or_404(Account.objects.prefetch_related("senders"), pk=pk)
    form = DetailsForm(request.POST or None, initial=DetailsForm.values_of(account))
    if request.method == "POST" and form.is_valid():
        try:
            _save(form, account, request.user.address)
        except ValidationError as error:
            form_errors.take(form, error)
        else:
            flash.done(request, _("Saved, and in force now."))
            return redirect("accounts:detail", account.pk)
    status = UNPROCESSABLE if form.errors else None
    return render(request, "accounts/edit.html", {"form": form, "account": account}, status=status)


@transaction.atomic
def _save(form: DetailsForm, account: Account, actor: str) -> None:
    """Change what the form changes, all or nothing."""
    now = timezone.now()
    values = form.cleaned_data
    changes = {"name": values["name"].strip(), "note": values["note"], "is_administrator": values["is_administrator"]}
    if "quota" in form.changed_data:  # untouched, it keeps its exact octets
        changes["quota"] = form.octets
    services.set_senders(account, values["senders"], actor=actor, now=now)
    services.edit(account, actor=actor, now=now, **changes)


@require_POST
def suspend(request: PanelRequest, pk: int) -> HttpResponse:
    """Suspend the account at once; the toast takes it back."""
    account = get_object_or_404(Account, pk=pk)
    try:
        services.suspend(account, actor=request.user.address, now=timezone.now())
    except ValidationError as error:
        flash.problem(request, form_errors.first(error))
    else:
        text = _("%(address)s is suspended, in force now: no sign-in, and open sessions end at their next message.")
        flash.done(request, text % {"address": account.address}, undo=reverse("accounts:resume", args=[account.pk]))
    return HttpResponseRedirect(reverse("accounts:detail", args=[account.pk]))


@require_POST
def resume(request: PanelRequest, pk: int) -> HttpResponse:
    """Let the account go on at once; the toast takes it back."""
    account = get_object_or_404(Account, pk=pk)
    services.resume(account, actor=request.user.address, now=timezone.now())
    text = _("%(address)s can sign in and send again, in force now. Mail held for it goes out.")
    flash.done(request, text % {"address": account.address}, undo=reverse("accounts:suspend", args=[account.pk]))
    return HttpResponseRedirect(reverse("accounts:detail", args=[account.pk]))


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: PanelRequest, pk: int) -> HttpResponse:
    """Set a new password: a generated one, or a typed one."""
    account = get_object_or_404(Account, pk=pk)
    generated = "generate" in request.POST
    form = PasswordForm(request.POST if request.method == "POST" and not generated else None)
    if generated or form.is_valid():
        new = services.generate_password() if generated else form.cleaned_data["password"]
        try:
            services.set_password(account, new, actor=request.user.address, now=timezone.now())
        except ValidationError as error:
            form_errors.take(form, error)
        else:
            if generated:
                once.keep(request.session, account, new)
            if account.pk == request.user.pk:
                update_session_auth_hash(request, account)
            flash.done(request, _("The password is changed, in force now. Open sessions must sign in again."))
            return redirect("accounts:detail", account.pk)
    status = UNPROCESSABLE if form.errors else None
    return render(request, "accounts/password.html", {"form": form, "account": account}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: PanelRequest, pk: int) -> HttpResponse:
    """Remove the account after its address was typed once more."""
    account = get_object_or_404(Account, pk=pk)
    address = account.address
    waiting = facts.waiting(account)
    form = RemoveForm(request.POST or None, account=account, waiting=waiting)
    if request.method == "POST" and form.is_valid():
        cancel = form.cleaned_data.get("cancel_mail", False)
        try:
            services.remove(account, actor=request.user.address, now=timezone.now(), cancel_mail=cancel)
        except ValidationError as error:
            form_errors.take(form, error)
        else:
            flash.done(request, _("%(address)s is removed.") % {"address": address})
            return redirect("accounts:list")
    context = {"form": form, "account": account, "waiting": waiting}
    return render(request, "accounts/remove.html", context, status=UNPROCESSABLE if form.errors else None)

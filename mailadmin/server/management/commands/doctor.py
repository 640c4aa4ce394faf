"""`manage.py doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

from typing import Any, Final

from mailadmin import commands
from mailadmin.commands import AdminCommand, Problem
from mailadmin.panel.health import Finding
from mailadmin.server.diagnosis import diagnose

_MARKS: Final = {"bad": "PROBLEM", "wait": "WARNING", "info": "HINT"}


class Command(AdminCommand):
    """Run every check, print the findings, and end with 1 when mail cannot flow."""

    help = "Check the installation and the running server: ends with 1 when something keeps mail from flowing."

    def run(self, _options: dict[str, Any]) -> None:
        """Check, print, and say how it is."""
        diagnosis = diagnose(commands.now())
        if self.as_json:
            self.tell_all([_as_dict(finding) for finding in diagnosis.findings], (), "")
        else:
            for finding in diagnosis.findings:
                self.stdout.write(_report(finding))
            self.stdout.write(diagnosis.sentence)
        if not diagnosis.is_well:
            number = sum(finding.level == "bad" for finding in diagnosis.findings)
            raise Problem(f"{number} to put right.")


def _as_dict(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "level": _MARKS[finding.level].lower(),
        "text": finding.text,
        "evidence": finding.evidence,
        "command": finding.command,
    }


def _report(finding: Finding) -> str:
    lines = [f"{_MARKS[finding.level]:8} {finding.text}  [{finding.id}]"]
    lines += [f"         {line}" for line in finding.evidence.splitlines()]
    if finding.command and finding.command != "manage.py doctor":
        lines.append(f"         see: {finding.command}")
    return "\n".join(lines)

"""The product's settings as the tests load them: state in a folder of this process, cheap hashes, databases as files.

Files and not SQLite's memory databases, because the product reads from several connections and threads at once.
Programs that a test starts get the product's own settings (see `tests.ground.daemon`).
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Before the product's settings are loaded, which read the environment. 0711: the unprivileged daemon passes through.
_scratch = Path(tempfile.mkdtemp(prefix="mailadmin-test-"))
_scratch.chmod(0o711)
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)
os.environ["MAILADMIN_HOME"] = str(_scratch)
# What a unit test writes need not survive a power cut; the durability tests start programs of their own.
os.environ["MAILADMIN_SQLITE_SYNCHRONOUS"] = "OFF"
# For programs that tests start: they are not tests.
os.environ["DJANGO_SETTINGS_MODULE"] = "mailadmin.settings"

from mailadmin.settings import *  # noqa: E402, F403  # the point of this module, and only now the environment is set
from mailadmin.settings import DATABASES  # noqa: E402

BCRYPT_ROUNDS = 4
for _alias, _database in DATABASES.items():
    if _database["ENGINE"].endswith("sqlite3"):
        _database["TEST"] = {"NAME": str(_scratch / f"test-{_alias}.sqlite3")}

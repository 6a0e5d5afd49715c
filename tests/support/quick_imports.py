"""Import this before anything of Jupyter: what the tests never use, and takes longest to import, is left out.

`jsonschema` has the grammars of international addresses made when it is imported, which takes 1.4 s of a processor, more
than all the rest of a server's start. Where they are not installed it does without.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # as if it were not installed

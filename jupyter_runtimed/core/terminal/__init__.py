"""What a terminal would show of a stream: `screen` has the rules, `rows` its lines, `pens` their colours."""

from jupyter_runtimed.core.terminal.screen import REACH, Terminal

__all__ = ["REACH", "Terminal"]

"""Bring together what was changed in two places: a file and a room, or a replica and a room of another epoch."""

from jupyter_runtimed.core.merge.cells import Merged, merge_version
from jupyter_runtimed.core.merge.incoming import MergedFile, MergedReplica, merge_file, merge_replica
from jupyter_runtimed.core.merge.version import Version, heads_before_edits

__all__ = [
    "Merged",
    "MergedFile",
    "MergedReplica",
    "Version",
    "heads_before_edits",
    "merge_file",
    "merge_replica",
    "merge_version",
]

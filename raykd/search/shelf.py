"""Where the parts of the store lie for every machine: a folder that all of them see, or an object store."""

from __future__ import annotations

from dataclasses import dataclass

from raykd import storage
from raykd.knowledge.shards import Damaged, Part
from raykd.workspace import WHOLE, Workspace


@dataclass(frozen=True)
class Shelf:
    """The store of one workspace. In an object store a part is whole once it says so, and nodes check their copies."""

    workspace: Workspace

    @property
    def root(self) -> str:
        """The folder or URL that holds the parts."""
        return self.workspace.place(self.workspace.knowledge)

    def place(self, part: Part) -> str:
        """Where everyone finds `part`."""
        return self.workspace.place(part.folder)

    def missing(self, part: Part) -> list[int]:
        """The shards that are still to be written."""
        if self.workspace.url is None:
            return [damage.shard for damage in part.missing() if damage.shard is not None]
        place = self.place(part)
        if storage.exists(storage.join(place, WHOLE)):
            return []
        there = set(storage.names(place))
        return [shard for shard in range(len(part)) if part.file(shard).name not in there]

    def discard_damaged(self, part: Part) -> list[Damaged]:
        """The shards whose content is not what was written; they are missing then. Reads all of them."""
        if self.workspace.url is not None:
            return []
        damaged = part.verify()
        for damage in damaged:
            if damage.shard is not None:
                part.discard(damage.shard)
        return damaged

    def complete(self, part: Part) -> None:
        """Every shard of `part` is there."""
        if self.workspace.url is not None:
            storage.write_text(storage.join(self.place(part), WHOLE), "")

"""Names of the tables beside a mem0 collection. One place, so that nothing forgets one of them."""

from dataclasses import dataclass

from psycopg import sql


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one collection; `memories` and `entities` have mem0's own shape and names."""

    collection: str

    def identifier(self, suffix: str = "") -> sql.Identifier:
        return sql.Identifier(self.name(suffix))

    def name(self, suffix: str = "") -> str:
        """The table's name; mem0 itself appends `_entities`."""
        return f"{self.collection}_{suffix}" if suffix else self.collection

    @property
    def memories(self) -> sql.Identifier:
        return self.identifier()

    @property
    def entities(self) -> sql.Identifier:
        return self.identifier("entities")

    @property
    def history(self) -> sql.Identifier:
        return self.identifier("history")

    @property
    def messages(self) -> sql.Identifier:
        return self.identifier("messages")

    @property
    def refused(self) -> sql.Identifier:
        return self.identifier("refused")

    @property
    def gate(self) -> sql.Identifier:
        return self.identifier("gate")

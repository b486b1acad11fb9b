"""The API's tokens, by the hash of their secrets."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from gather_pipeline.domain.texts import checked_name
from gather_pipeline.domain.tokens import Token, hash_of, new_secret
from gather_pipeline.errors import InvalidInput, UnknownEntity, listed
from gather_pipeline.ports import Clock, Document, DocumentStore

TOKENS = "tokens"
ID_LENGTH = 12
COARSE = timedelta(hours=1)  # between two notes of a token's use


class Tokens:
    """Makes, finds and revokes tokens."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock

    def create(self, name: str, project_id: str | None) -> str:
        """Stores a new token and returns its secret, this once; raises `InvalidInput` where the name is wrong or a valid token has it."""
        name = checked_name("token name", name)
        if any(one.name == name and one.revoked_at is None for one in self.all()):
            raise InvalidInput.field("token name", name, "one that no other token has; revoke that one first")
        secret = new_secret()
        hash = hash_of(secret)
        token = Token(id=hash[:ID_LENGTH], name=name, project_id=project_id, made_at=self._clock.now())
        self._store.insert_many(self._database, TOKENS, [{"_id": hash, **asdict(token)}])
        return secret

    def all(self) -> list[Token]:
        """Every token that was ever made, oldest first."""
        return [_token(row) for row in self._store.find(self._database, TOKENS, sort=[("made_at", 1)])]

    def exist(self) -> bool:
        """Whether any was ever made: to revoke the last one opens nothing."""
        return bool(self._store.find(self._database, TOKENS, limit=1))

    def find(self, secret: str) -> Token | None:
        """The token of a secret, and a note that it was used; None where there is none or it is revoked."""
        row = self._store.get(self._database, TOKENS, hash_of(secret))
        if row is None or row["revoked_at"] is not None:
            return None
        token, now = _token(row), self._clock.now()
        if token.last_used_at is None or datetime.fromisoformat(now) - datetime.fromisoformat(token.last_used_at) > COARSE:
            self._store.update(self._database, TOKENS, row["_id"], {"last_used_at": now})
        return token

    def is_valid(self, id: str) -> bool:
        """Whether a token that was accepted a while ago still is valid."""
        return any(row["revoked_at"] is None for row in self._store.find(self._database, TOKENS, {"id": id}))

    def revoke(self, which: str) -> Token:
        """Makes a token, named by its id or its name, open nothing any more; raises `UnknownEntity` where there is none."""
        rows = self._store.find(self._database, TOKENS, sort=[("made_at", 1)])
        found = [row for row in rows if which in (row["id"], row["name"])]
        if not found:
            raise UnknownEntity.field("token", which, f"one of {listed(row['name'] for row in rows)}" if rows else "a token: there is none")
        row = next((row for row in found if row["revoked_at"] is None), found[-1])
        if row["revoked_at"] is None:
            row = self._store.update(self._database, TOKENS, row["_id"], {"revoked_at": self._clock.now()})
        return _token(row)


def _token(row: Document) -> Token:
    return Token(**{name: row[name] for name in Token.__dataclass_fields__})

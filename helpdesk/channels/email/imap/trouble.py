"""What went wrong with a mail account: one of our sentences, and the server's words."""

from __future__ import annotations


class AccountTrouble(Exception):
    """`sentence` is a message id of the catalogue; `technical` what server or system said, without secrets once `told` was asked."""

    def __init__(self, sentence: str, technical: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.technical = " ".join(technical.split())[:500]

    def __str__(self) -> str:
        return f"{self.sentence} {self.technical}".rstrip()

    def told(self, secrets: tuple[str, ...] = ()) -> str:
        """As the ledger keeps it: the sentence, a line break, the technical words. A secret that a server repeats is covered."""
        technical = self.technical
        for secret in secrets:
            if len(secret) >= 3:
                technical = technical.replace(secret, "•••")
        return f"{self.sentence}\n{technical}" if technical else self.sentence

"""Shuffle sharding: a flow is dealt a hand of queues, and two flows rarely hold the same."""


def deal(entropy: int, deck: int, hand: int) -> list[int]:
    """`hand` different numbers below `deck`, decided by `entropy` alone and each equally likely."""
    cards: list[int] = []
    for index in range(hand):
        entropy, card = divmod(entropy, deck - index)
        for earlier in sorted(cards):  # the card-th of those that are left
            if card >= earlier:
                card += 1
        cards.append(card)
    return cards

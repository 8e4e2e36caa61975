"""Prime numbers."""

from collections.abc import Iterator
from itertools import count, islice


def primes() -> Iterator[int]:
    """All of them, by trial division."""
    found: list[int] = []
    for number in count(2):
        if all(number % prime for prime in found if prime * prime <= number):
            found.append(number)
            yield number


if __name__ == "__main__":
    for prime in islice(primes(), 25):
        print(prime)

"""Attacks on what tells clients apart: request ids and client ids of any bytes, and settings of any text."""

import random

import pytest

from components.common.errors import MonitorError
from components.serving_log_example_gen.subsampling import ClientKey, Subsampling

pytestmark = pytest.mark.long

SEPARATORS = ("-", "/", "::", ".", "é", "\n")


def test_ids_of_any_bytes_name_one_client_or_none(tries, report):
    """What stands in front of the separator is the client, byte by byte, whatever the bytes are."""
    chance, number, held = random.Random(0), tries(5_000, 500_000), 0  # noqa: S311 - no secret
    for _ in range(number):
        separator = chance.choice(SEPARATORS)
        identity = chance.randbytes(chance.randrange(0, 12)) + separator.encode() * chance.randrange(3)
        identity += chance.randbytes(chance.randrange(0, 12))
        front, found, _ = identity.partition(separator.encode())
        expected = front if found else b""
        held += ClientKey.parse(f"client:prefix:{separator}").of_request_id(identity) == expected
    report("clients: request ids", number, held)


def test_any_text_is_a_setting_or_refused_in_a_sentence(tries, report):
    """`one_example_per` of any text parses, or is refused by name; what parses can be used."""
    chance, number, held = random.Random(1), tries(5_000, 200_000), 0  # noqa: S311 - no secret
    letters = 'client:prefixattnd()[]*+?{}\\|^$.0123456789s-"\n\x00é'
    for _ in range(number):
        start = chance.choice(["", "client", "client:", "client:prefix:", "client:pattern:", "client:field:"])
        text = start + "".join(chance.choice(letters) for _ in range(chance.randrange(8)))
        try:
            Subsampling.parse(text).block(b"image", b"client", 17)
        except MonitorError as error:
            held += "`one_example_per` must" in str(error)
        else:
            held += 1
    report("clients: settings", number, held)

"""Base64 in JSON is letters and at most two signs of padding, which is told without looking at each letter first."""

import base64
import binascii
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_monitor.serving.protocols.json_values import BadRequestError, bytes_of


def strictly(text: str) -> bytes | None:
    text += "=" * (-len(text) % 4)
    if not re.fullmatch("[A-Za-z0-9+/]*={0,2}", text):
        return None
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return None


def read(text: str) -> bytes | None:
    try:
        return bytes_of({"b64": text})
    except BadRequestError:
        return None


@pytest.mark.parametrize("length", range(7))
def test_every_short_text(length):
    texts = map("".join, itertools.product("Aq/=-\n", repeat=length))
    assert [text for text in texts if read(text) != strictly(text)] == []


@given(st.binary(max_size=90), st.data())
def test_a_text_with_one_letter_changed(content, data):
    text = base64.b64encode(content).decode()
    place = data.draw(st.integers(0, len(text)))
    for changed in (text, text[:place], text[:place] + data.draw(st.characters()) + text[place + 1 :]):
        assert read(changed) == strictly(changed)
    assert read(text) == content

"""Pages are filled in often and compiled once."""

import jinja2

from components.common.pages.templating import render_template


def test_a_template_is_compiled_once(tmp_path, monkeypatch):
    (tmp_path / "page.jinja").write_text("{{ text }}")
    compiled, compile_it = [], jinja2.Environment.compile
    monkeypatch.setattr(
        jinja2.Environment, "compile", lambda *given, **named: compiled.append(given) or compile_it(*given, **named)
    )
    pages = [render_template("page.jinja", [], [], folders=[tmp_path], text=text) for text in ("one <", "two")]
    assert pages == ["one &lt;", "two"]
    assert len(compiled) == 1

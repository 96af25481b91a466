"""Packages that are put off are imported by what is used of them, and by nothing else."""

import importlib
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.common.lazy_packages import import_later


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The name of a package that says so when it is imported, and of modules that it has."""
    folder = tmp_path / "put_off"
    (folder / "below").mkdir(parents=True)
    (folder / "__init__.py").write_text(
        textwrap.dedent("""
        from put_off import inner
        from put_off.inner import VALUE
        IMPORTED = True
        OTHER = [VALUE, __name__, __file__, __package__]
        """)
    )
    (folder / "inner.py").write_text("VALUE = 7\n")
    (folder / "below" / "__init__.py").write_text("from .deep import VALUE\n")
    (folder / "below" / "deep.py").write_text("VALUE = 8\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "put_off"
    for name in [name for name in sys.modules if name.partition(".")[0] == "put_off"]:
        del sys.modules[name]


def imported() -> bool:
    return "IMPORTED" in vars(sys.modules["put_off"])


def test_modules_of_a_bare_package_are_imported_without_it(package):
    import_later(package, bare=True)
    from put_off import inner
    from put_off.below.deep import VALUE

    assert (inner.VALUE, VALUE, imported()) == (7, 8, False)
    import put_off

    assert not imported()
    assert put_off.VALUE == 7  # which its `__init__` has taken from one
    assert imported()
    assert put_off.inner is inner is sys.modules["put_off.inner"]
    other = put_off.OTHER
    assert other == [7, "put_off", put_off.__file__, "put_off"]


@pytest.mark.parametrize("module", ["put_off.inner", "put_off.below", "put_off.below.deep"])
def test_any_module_of_another_imports_it(package, module):
    import_later(package)
    import put_off

    assert not imported()
    importlib.import_module(module)
    assert imported()
    assert put_off is sys.modules[package]


def test_what_is_imported_already_stays_as_it_is(package):
    import put_off

    import_later(package, bare=True)
    assert sys.modules[package] is put_off
    assert imported()


def test_what_is_missing_stays_missing(package):
    import_later("not_there_at_all")
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        importlib.import_module("not_there_at_all")
    import_later(package)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("put_off.nothing")
    with pytest.raises(AttributeError, match="nothing"):
        getattr(sys.modules[package], "nothing")  # noqa: B009


def test_a_package_that_cannot_be_imported_says_so_each_time(package, tmp_path):
    (tmp_path / package / "__init__.py").write_text("raise ImportError('it wants a card')")
    for _ in range(2):
        import_later(package)
        with pytest.raises(ImportError, match="wants a card"):
            sys.modules[package].anything  # noqa: B018
    assert package not in sys.modules


def test_a_package_inside_another_is_an_attribute_of_it_as_after_an_import(package, tmp_path):
    import_later(f"{package}.below")
    import put_off

    assert put_off.below is sys.modules[f"{package}.below"]
    assert "VALUE" not in vars(put_off.below)
    assert put_off.below.VALUE == 8

    (tmp_path / package / "broken").mkdir()
    (tmp_path / package / "broken" / "__init__.py").write_text("raise ImportError('it wants a card')")
    import_later(f"{package}.broken")
    with pytest.raises(ImportError, match="wants a card"):
        put_off.broken.anything  # noqa: B018
    assert not hasattr(put_off, "broken")


@pytest.fixture
def slow(package, tmp_path):
    """The same, which takes a while: what is used meanwhile is used by other threads."""
    init = tmp_path / package / "__init__.py"
    init.write_text(f"import time\ntime.sleep(0.3)\n{init.read_text()}")
    return package


@pytest.mark.parametrize("bare", [False, True])
def test_threads_that_use_it_at_once_all_get_it_imported(slow, bare):
    import_later(slow, bare=bare)
    import put_off

    with ThreadPoolExecutor(8) as threads:
        used = list(threads.map(lambda _: (put_off.VALUE, put_off.OTHER[0], put_off.IMPORTED), range(8)))
    assert used == [(7, 7, True)] * 8


def test_a_thread_that_imports_a_module_of_it_does_not_wait_for_one_that_waits_for_that(slow):
    import_later(slow)
    import put_off

    with ThreadPoolExecutor(8) as threads:
        modules = ["put_off.inner", "put_off.below.deep"] * 3
        values = [threads.submit(lambda: put_off.VALUE)]
        values += [threads.submit(lambda name=name: importlib.import_module(name).VALUE) for name in modules]
        assert [each.result(timeout=30) for each in values] == [7, *[7, 8] * 3]


def test_a_name_that_it_does_not_have_is_an_error(package):
    import_later(package)
    import put_off

    for _ in range(2):
        with pytest.raises(AttributeError, match=r"put_off.*no attribute 'NONE'"):
            _ = put_off.NONE
    assert put_off.VALUE == 7


def test_a_package_with_an_answer_of_its_own_is_asked(package, tmp_path):
    init = tmp_path / package / "__init__.py"
    init.write_text(f"{init.read_text()}\ndef __getattr__(name):\n    return name.lower()\n")
    import_later(package)
    import put_off

    assert (put_off.FIRST, put_off.SECOND, put_off.VALUE) == ("first", "second", 7)

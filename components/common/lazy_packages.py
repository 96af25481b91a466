"""Packages that are imported when something of theirs is used: a worker of Beam imports anew what it is given to run.

Some packages import half of what is installed in their `__init__`, of which their modules need little.
"""

import importlib
import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

_LONGEST_WAIT = 60.0  # seconds, for another thread that is importing the package


def import_later(name: str, *, bare: bool = False) -> None:
    """Puts off importing a package until something of it is used; one that is imported already, or missing, stays so.

    Args:
      name: of the package.
      bare: whether its modules are imported without it. Then only what is none of its modules, such as a function that
        its `__init__` has taken from one, imports the package itself.

    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    package = importlib.util.module_from_spec(spec)
    package.__getattr__ = _PutOff(package, spec.loader, bare).look_up  # type: ignore[method-assign]
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)  # imported by the search above


class _PutOff:
    """What is asked for attributes that a package does not have yet, by any thread."""

    def __init__(self, package: ModuleType, loader: Any, bare: bool) -> None:
        self._package, self._loader, self._bare = package, loader, bare
        self._places = package.__path__
        if not bare:
            del package.__path__  # asked for by whoever imports a module of it
        self._lock, self._begun = threading.RLock(), False

    def look_up(self, attribute: str) -> Any:
        """The attribute, once the package is imported; another thread that imports it is waited for.

        Who asks for the path is importing a module of the package, for which whoever imports the package waits: that
        one gets it at once. Who asks for something else in the middle of such an import gets what there is after a
        minute.
        """
        name, of_path = self._package.__name__, attribute == "__path__"
        if self._bare and not attribute.startswith("__") and importlib.util.find_spec(f"{name}.{attribute}"):
            return importlib.import_module(f"{name}.{attribute}")
        if of_path:
            self._package.__path__ = self._places
        if self._lock.acquire(timeout=0 if of_path else _LONGEST_WAIT):
            try:
                if not self._begun:
                    self._begun = True
                    self._import()
            finally:
                self._lock.release()
        there = vars(sys.modules.get(name, self._package))
        if attribute in there:
            return there[attribute]
        own = there.get("__getattr__", self.look_up)
        if own == self.look_up:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return own(attribute)

    def _import(self) -> None:
        self._package.__path__ = self._places
        try:
            self._loader.exec_module(self._package)
        except BaseException:
            parent, _, child = self._package.__name__.rpartition(".")
            sys.modules.pop(self._package.__name__, None)  # as after any import that fails
            if parent:
                vars(sys.modules[parent]).pop(child, None)
            raise
        finally:
            if vars(self._package).get("__getattr__") == self.look_up:
                del self._package.__getattr__

"""Packages that are imported when something of theirs is used: a worker of Beam imports anew what it is given to run.

Some packages import half of what is installed in their `__init__`, of which their modules need little.
"""

import importlib
import importlib.util
import sys
from typing import Any


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
    parent, _, child = name.rpartition(".")
    loader, package = spec.loader, importlib.util.module_from_spec(spec)
    places = package.__path__
    if not bare:
        del package.__path__  # asked for by whoever imports a module of it

    def look_up(attribute: str) -> Any:
        if bare and not attribute.startswith("__") and importlib.util.find_spec(f"{name}.{attribute}") is not None:
            return importlib.import_module(f"{name}.{attribute}")
        del package.__getattr__
        package.__path__ = places
        try:
            loader.exec_module(package)
        except BaseException:
            sys.modules.pop(name, None)  # as after any import that fails
            if parent:
                vars(sys.modules[parent]).pop(child, None)
            raise
        return getattr(sys.modules[name], attribute)

    package.__getattr__ = look_up  # type: ignore[method-assign]
    sys.modules[name] = package
    if parent:
        setattr(sys.modules[parent], child, package)  # imported by the search above

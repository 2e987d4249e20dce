"""The page *The library* is made of the docstrings: of every public name one line and an example that runs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from IPython.display import Markdown

import ethnicmer_lib
from ethnicmer_lib import ROOMS
from ethnicmer_lib.errors import check_name

_EXAMPLES = re.compile(r"^Examples\n-+\n(.*?)(?=^\w[^\n]*\n-{3,}\n|\Z)", re.DOTALL | re.MULTILINE)


def library(room: str) -> Markdown:
    """The public names of a room of the library ('clips', 'motion', ...), for a notebook to show.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> print(em.library("sources").data.splitlines()[0])
    **`open_clips(source, progress=True)`**
    """
    return Markdown("\n\n".join(_entry(name, thing) for name, thing in public(room).items()))


def public(room: str) -> dict[str, Any]:
    """What ``import ethnicmer_lib as em`` gives of a room, by name; of ``show``, itself one, what it exports."""
    check_name("room", room, ROOMS)
    if room == "show":
        return {f"show.{name}": getattr(ethnicmer_lib.show, name) for name in ethnicmer_lib.show.__all__}
    keys = [key for key in ethnicmer_lib.PUBLIC if key.partition(".")[0] == room]
    return {name: getattr(ethnicmer_lib, name) for key in keys for name in ethnicmer_lib.PUBLIC[key].split()}


def example(thing: Any) -> str:
    """The example in a docstring, with its prompts; '' where there is none."""
    found = _EXAMPLES.search(inspect.getdoc(thing) or "")
    return found[1].strip() if found else ""


def _entry(name: str, thing: Any) -> str:
    if not callable(thing):
        shown = ", ".join(map(repr, thing)) if isinstance(thing, Mapping | tuple | list) else repr(thing)
        return f"**`{name}`**\n\n{shown}"
    about = re.sub(r":\w+:`", "`", (inspect.getdoc(thing) or "").partition("\n")[0])
    lines = example(thing).removeprefix(">>> import ethnicmer_lib as em\n")  # the page has done that
    code = f"\n\n```pycon\n{lines}\n```" if lines else ""
    return f"**`{name}{_called(thing)}`**\n\n{about}{code}"


def _called(thing: Any) -> str:
    """Names of the arguments and their defaults, without types, which would fill the line."""
    signature = inspect.signature(thing)
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))

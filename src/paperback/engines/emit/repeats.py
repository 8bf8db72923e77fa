"""What two lines compute alike gets a name, so that it is computed once.

    dl = -(np.exp(s - l) * g).sum(axis=1)         exp = np.exp(s - l)
    ds = np.exp(s - l) * h                        dl = -(exp * g).sum(axis=1)
                                                  ds = exp * h

Statements know nothing of each other's letters, but the text of a call says all that it depends on, as long as nothing
in it is assigned twice. A call of what loops count, or of an array that is added to, stays where it is.
"""

from __future__ import annotations

__all__ = ["named"]

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

_CALL = re.compile(r"(?<![\w.\])])[^\W\d][\w.]*\(")
_CHEAP = {"range", "copy", "clone", "zeros", "full", "new_zeros", "new_full", "arange", "max", "min", "index_add_"}
_HINTS = {"sqrt": "root", "rsqrt": "root", "einsum": "product", "where": "masked"}


def named(lines: Sequence[str], fresh: Callable[[str], str]) -> list[str]:
    """The lines, with a line before the first use of every call that occurs twice."""
    found = list(lines)
    while True:
        changing = _changing(found)
        calls = Counter(call for line in found if not _is_said(line) for call in _calls(line))
        twice = [c for c, times in calls.items() if times > 1 and changing.isdisjoint(re.findall(r"[^\W\d]\w*", c))]
        if not twice:
            return found
        call = max(twice, key=len)
        path = call[: call.index("(")].split(".")
        hint = _HINTS.get(path[-1], path[-1].lstrip("_"))
        value = path[0] not in ("np", "torch", "jnp", "jax") and len(path) > 1
        name = fresh(f"{path[0]}_{hint}" if value else hint)
        alike = re.compile(rf"(?<![\w.\])]){re.escape(call)}")
        first = next(k for k, line in enumerate(found) if not _is_said(line) and alike.search(line))
        found = [line if _is_said(line) else alike.sub(name, line) for line in found]
        while found[first].startswith("     "):  # before the loops around it
            first -= 1
        found.insert(first, f"    {name} = {call}")


def _is_said(line: str) -> bool:
    return line.lstrip().startswith("#")


def _calls(line: str) -> Iterator[str]:
    """Every call in a line, with its arguments, but for cheap ones and what is assigned already."""
    for match in _CALL.finditer(line):
        depth, place = 0, match.end() - 1
        for place in range(match.end() - 1, len(line)):
            depth += (line[place] in "([") - (line[place] in ")]")
            if depth == 0:
                break
        if match.group()[:-1].split(".")[-1] not in _CHEAP:
            yield line[match.start() : place + 1]


def _changing(lines: Sequence[str]) -> set[str]:
    """Names that are assigned more than once or in a loop, added to, or counted."""
    times: Counter[str] = Counter()
    for line in lines:
        assigned = re.match(r"\s*(?:for )?([^\W\d]\w*)(\[[^=]*\])? (?:(\+)?= |in range)", line)
        if assigned and not _is_said(line):
            again = assigned[2] or assigned[3] or " in range" in assigned[0] or line.startswith("     ")
            times[assigned[1]] += 2 if again else 1
        stored = re.match(r"\s*(?:np\.add\.at\(([^\W\d]\w*)|([^\W\d]\w*)\.index_\w+_\()", line)
        if stored:
            times[stored[1] or stored[2]] += 2
    return {name for name, count in times.items() if count > 1}

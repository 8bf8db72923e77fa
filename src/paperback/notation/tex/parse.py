r"""Reading LaTeX: a formula as it stands in a paper -> the syntax tree that plain text has.

    source -> marks -> fences -> scope -> plain tokens -> the parser of the notation
              `marks`  `fences`  `scope`  `statements`, `translate`, `expressions`
"""

from __future__ import annotations

__all__ = ["parse_latex"]

from dataclasses import replace

from paperback.notation.parse import Parsed, Parser
from paperback.notation.syntax import BinderSyntax, KindClause
from paperback.notation.tex.fences import pair
from paperback.notation.tex.marks import scan
from paperback.notation.tex.scope import Scope, survey
from paperback.notation.tex.statements import Statements
from paperback.notation.tokens import Token


def parse_latex(source: str, given: Scope, base: int | None = None) -> Parsed:
    r"""The statements of a formula in LaTeX; `given` is what the caller declares.

    A sum that begins at 1 skips element 0; where no base is given, a warning says so.
    """
    marks, problems = scan(source)
    marks, partner, unpaired = pair(source, marks)
    if problems or unpaired:
        return Parsed((), (*problems, *unpaired), ())
    scope, problems = survey(source, marks, partner, given)
    translation = Statements(source, marks, partner, scope, base or 0)
    parser = _Parser(source, translation.tokens())
    problems = [*problems, *translation.problems]
    statements = parser.program() if len(parser.tokens) > 1 or not problems else []
    if statements:
        found = (KindClause(m.start, m.end, name, "size") for name, m in translation.translator.sizes.items())
        statements[0] = replace(statements[0], clauses=(*statements[0].clauses, *found))
    warnings = list(parser.warnings)
    if base is None and translation.translator.from_one:
        letter = translation.translator.from_one[0]
        name = source[letter.start : letter.end]
        warnings.append(f"{name} begins at 1, so element 0 is left out: for a formula that counts from 1 write base=1")
    return Parsed(tuple(statements), (*problems, *parser.problems), tuple(warnings))


class _Parser(Parser):
    """The parser of the notation, where a reducer's letter may begin above 0: p < P .. 1."""

    def binder(self, op: Token) -> BinderSyntax:
        found = super().binder(op)
        if not self.at(".."):
            return found
        self.take()
        return replace(found, least=self.expr(), end=self.last_end)

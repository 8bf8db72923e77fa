"""The code of steps that follow one another: see `series` for who calls it.

    steps(context, count, places, n, watched, addresses)        how many of them went well

Before step s the table's entry places[p] becomes addresses[s, p], for p < n. It ends where a step leaves a word in the
status, or an output in one of the first `watched` places is NaN or infinite.
"""

from __future__ import annotations

__all__ = ["write_steps"]

from paperback.engines.llvm.code.drivers import CONTEXT

_STEPS = """
define i64 @steps(ptr %context, i64 %count, ptr %places, i64 %n, i64 %watched, ptr %addresses) ATTRIBUTES {
entry:
  %at.table = getelementptr i64, ptr %context, i64 TABLE
  %table = load ptr, ptr %at.table
  %status = load ptr, ptr %table
  %at.infinite = getelementptr i64, ptr %status, i64 1
  br label %head
head:
  %s = phi i64 [ 0, %entry ], [ %s.next, %good ]
  %more = icmp slt i64 %s, %count
  br i1 %more, label %step, label %end
step:
  %first = mul i64 %s, %n
  %row = getelementptr i64, ptr %addresses, i64 %first
  br label %place
place:
  %p = phi i64 [ 0, %step ], [ %p.next, %put ]
  %places.left = icmp slt i64 %p, %n
  br i1 %places.left, label %put, label %run
put:
  %at.place = getelementptr i64, ptr %places, i64 %p
  %which = load i64, ptr %at.place
  %at.address = getelementptr i64, ptr %row, i64 %p
  %address = load i64, ptr %at.address
  %entry.of = getelementptr i64, ptr %table, i64 %which
  store i64 %address, ptr %entry.of
  %p.next = add i64 %p, 1
  br label %place
run:
  call void @step(ptr %context)
  %wrong = load i64, ptr %status
  %infinite = load i64, ptr %at.infinite
  %bad = or i64 %wrong, %infinite
  %well = icmp eq i64 %bad, 0
  br i1 %well, label %watch, label %end
watch:
  %w = phi i64 [ 0, %run ], [ %w.next, %look ]
  %numbers.left = icmp slt i64 %w, %watched
  br i1 %numbers.left, label %look, label %good
look:
  %at.number = getelementptr i64, ptr %row, i64 %w
  %number.at = load ptr, ptr %at.number
  %number = load ELEMENT, ptr %number.at
  %zero = fsub ELEMENT %number, %number
  %finite = fcmp oeq ELEMENT %zero, 0.0
  %w.next = add i64 %w, 1
  br i1 %finite, label %watch, label %end
good:
  %s.next = add i64 %s, 1
  br label %head
end:
  ret i64 %s
}
"""


def write_steps(element: str, attributes: str) -> str:
    """The function, for outputs of this element type."""
    text = _STEPS.replace("ATTRIBUTES", attributes).replace("ELEMENT", element)
    return text.replace("TABLE", str(CONTEXT.index("table")))

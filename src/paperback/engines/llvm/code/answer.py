"""The code of one step that is asked for by itself: what it is given is looked at where it lies.

    answer(context)        0 where all went well; -1, and nothing done, where an input holds NaN or infinity; else what
                           the step left in the first word of the status

A number is none where its exponent is all ones. To add one to the exponent then carries into the sign: the bits of all
numbers, without their own signs and fractions, are added to so and put together by `or`.
"""

from __future__ import annotations

__all__ = ["write_answer"]

from collections.abc import Sequence

from paperback.engines.llvm.code.drivers import loads
from paperback.engines.llvm.lowering.buffers import BATCH, Buffer

_EXPONENTS = {"float": (32, 0xFF << 23), "double": (64, 0x7FF << 52)}

_FINITE = """
define internal i1 @finite(ptr %first, i64 %count) ATTRIBUTES {
entry:
  %rest = urem i64 %count, WIDTH
  %whole = sub i64 %count, %rest
  br label %vectors
vectors:
  %v = phi i64 [ 0, %entry ], [ %v.next, %vector ]
  %seen = phi VECTOR [ zeroinitializer, %entry ], [ %seen.next, %vector ]
  %more = icmp ult i64 %v, %whole
  br i1 %more, label %vector, label %single
vector:
  %v.at = getelementptr BITS, ptr %first, i64 %v
  %v.bits = load VECTOR, ptr %v.at, align BYTES
  %v.exponents = and VECTOR %v.bits, EXPONENTS
  %v.carried = add VECTOR %v.exponents, UNITS
  %seen.next = or VECTOR %seen, %v.carried
  %v.next = add i64 %v, WIDTH
  br label %vectors
single:
  %s = phi i64 [ %whole, %vectors ], [ %s.next, %number ]
  %one = phi BITS [ 0, %vectors ], [ %one.next, %number ]
  %left = icmp ult i64 %s, %count
  br i1 %left, label %number, label %end
number:
  %s.at = getelementptr BITS, ptr %first, i64 %s
  %s.bits = load BITS, ptr %s.at, align BYTES
  %s.exponent = and BITS %s.bits, EXPONENT
  %s.carried = add BITS %s.exponent, UNIT
  %one.next = or BITS %one, %s.carried
  %s.next = add i64 %s, 1
  br label %single
end:
  %signs = icmp slt VECTOR %seen, zeroinitializer
  %word = bitcast <WIDTH x i1> %signs to iWIDTH
  %none = icmp eq iWIDTH %word, 0
  %sign = icmp sge BITS %one, 0
  %finite = and i1 %none, %sign
  ret i1 %finite
}
"""


def write_answer(inputs: Sequence[Buffer], element: str, width: int, attributes: str) -> str:
    """The function, for these inputs with an entry per example, and vectors of `width`."""
    bits, exponent = _EXPONENTS[element]
    unit = exponent & -exponent
    words = {
        "ATTRIBUTES": attributes, "EXPONENTS": _splat(bits, exponent, width), "EXPONENT": exponent,
        "UNITS": _splat(bits, unit, width), "UNIT": unit, "VECTOR": f"<{width} x i{bits}>", "WIDTH": width,
        "BITS": f"i{bits}", "BYTES": bits // 8,
    }  # fmt: skip
    finite = _FINITE
    for word, value in words.items():
        finite = finite.replace(word, str(value))
    lines = [
        f"define i64 @answer(ptr %context) {attributes} {{", "entry:", *loads(("N", "table")),
        "  %tensors = inttoptr i64 %table to ptr", "  %status = load ptr, ptr %tensors",
        "  %at.infinite = getelementptr i64, ptr %status, i64 1",
        "  store i64 0, ptr %status", "  store i64 0, ptr %at.infinite",
    ]  # fmt: skip
    for k, buffer in enumerate(inputs):
        assert buffer.shape[0] == BATCH
        lines += [
            f"  %at{k} = getelementptr ptr, ptr %tensors, i64 {buffer.place}", f"  %first{k} = load ptr, ptr %at{k}",
            f"  %count{k} = mul i64 %N, {buffer.size}", f"  %finite{k} = call i1 @finite(ptr %first{k}, i64 %count{k})",
            f"  br i1 %finite{k}, label %good{k}, label %refused", f"good{k}:",
        ]  # fmt: skip
    lines += ["  call void @step(ptr %context)", "  %wrong = load i64, ptr %status", "  ret i64 %wrong"]
    lines += ["refused:", "  ret i64 -1", "}\n"] if inputs else ["}\n"]
    return (finite if inputs else "") + "\n".join(lines)


def _splat(bits: int, value: int, width: int) -> str:
    return f"<{', '.join([f'i{bits} {value}'] * width)}>"

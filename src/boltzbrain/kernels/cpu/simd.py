"""Vectors for numba: sixteen numbers that one instruction adds, multiplies or compares.

Numba compiles loops over arrays and leaves it to LLVM to find vectors in them. These types say what
the vectors are, so that sums stay in registers and every machine rounds alike: LLVM splits a vector
where the processor's own are shorter. Inside compiled code they behave like numbers: the usual
operators work element by element, and a plain number stands for sixteen of it.

=========== ======================================
`floats`    16 x float32
`doubles`   16 x float64
`words`     16 x uint32
`marks`     16 x bool
`blocks`    8 x uint64, the counters of eight Philox blocks
=========== ======================================

Arrays are flat and C-contiguous, positions count elements, and nothing checks bounds: the callers
pad. Positions are best unsigned, which spares numba's test for negative ones.
"""

# the hooks of numba's compiler are handed objects that have no types of their own
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

_INDEX = ir.IntType(32)


class Vector(types.Type):
    """The numba type of a vector of `count` elements."""

    def __init__(self, element: Any, count: int) -> None:
        self.element, self.count = element, count
        super().__init__(name=f"vector({element} x {count})")

    @property
    def llvm(self) -> ir.VectorType:
        """The vector type of LLVM."""
        scalars = {
            types.boolean: ir.IntType(1),
            types.float32: ir.FloatType(),
            types.float64: ir.DoubleType(),
        }
        scalar = scalars.get(self.element) or ir.IntType(self.element.bitwidth)
        return ir.VectorType(scalar, self.count)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, kind.llvm)


floats = Vector(types.float32, 16)
doubles = Vector(types.float64, 16)
words = Vector(types.uint32, 16)
marks = Vector(types.boolean, 16)
blocks = Vector(types.uint64, 8)

_OF_ELEMENT = {types.float32: floats, types.float64: doubles, types.uint32: words}
_OF_SCALAR = {**_OF_ELEMENT, types.uint64: blocks}


def order_of(*positions: int) -> ir.Constant:
    """Return the operand of a shuffle that takes elements in this order."""
    return ir.Constant(ir.VectorType(_INDEX, len(positions)), list(positions))


def spread_of(builder, kind, scalar):
    """Emit a vector of nothing but a scalar."""
    nothing = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(nothing, scalar, _INDEX(0))
    return builder.shuffle_vector(one, nothing, order_of(*[0] * kind.count))


def _vector(context, builder, kind, given, value):
    """Return an operand as a vector: itself, or a number sixteen times."""
    if isinstance(given, Vector):
        return value
    return spread_of(builder, kind.llvm, context.cast(builder, value, given, kind.element))


def _register(
    op: Callable[..., Any], on_floats: str, on_integers: str, result: Vector | None = None
) -> None:
    """Give an operator of Python a meaning for vectors: a method of the builder, if any."""

    class Template(AbstractTemplate):
        def generic(self, args, kws):
            kinds = [item for item in args if isinstance(item, Vector)]
            numbers = [item for item in args if isinstance(item, types.Number)]
            if len(args) != 2 or len(kinds) + len(numbers) != 2 or not kinds:
                return None
            return signature(result or kinds[0], *args) if kinds[0] == kinds[-1] else None

    infer_global(op)(Template)

    def lower(context, builder, sig, args):
        kind = next(item for item in sig.args if isinstance(item, Vector))
        operands = [
            _vector(context, builder, kind, given, value)
            for given, value in zip(sig.args, args, strict=True)
        ]
        name = on_floats if isinstance(kind.element, types.Float) else on_integers
        if result is marks:
            return getattr(builder, name)("<", *operands)
        return getattr(builder, name)(*operands)

    for pair in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(op, *pair)(lower)


_register(operator.add, "fadd", "add")
_register(operator.sub, "fsub", "sub")
_register(operator.mul, "fmul", "mul")
_register(operator.truediv, "fdiv", "")
_register(operator.and_, "", "and_")
_register(operator.or_, "", "or_")
_register(operator.xor, "", "xor")
_register(operator.lshift, "", "shl")
_register(operator.rshift, "", "lshr")
_register(operator.lt, "fcmp_ordered", "icmp_unsigned", marks)


def address_of(context, builder, sig, args, kind):
    """Return where args[1] points to in the array args[0], as a pointer to `kind`."""
    data = context.make_array(sig.args[0])(context, builder, value=args[0]).data
    place = context.cast(builder, args[1], sig.args[1], types.intp)
    return builder.bitcast(builder.gep(data, [place]), kind.as_pointer())


@intrinsic
def load(typingctx, array, start):
    """Return sixteen elements of an array from position `start` on."""
    kind = _OF_ELEMENT[array.dtype]

    def generate(context, builder, sig, args):
        value = builder.load(address_of(context, builder, sig, args, kind.llvm))
        value.align = kind.element.bitwidth // 8
        return value

    return kind(array, start), generate


@intrinsic
def store(typingctx, array, start, value):
    """Write sixteen elements into an array from `start` on; marks become bytes 0 and 1."""

    def generate(context, builder, sig, args):
        kind, vector = value.llvm, args[2]
        if value == marks:
            kind = ir.VectorType(ir.IntType(8), 16)
            vector = builder.zext(vector, kind)
        done = builder.store(vector, address_of(context, builder, sig, args, kind))
        done.align = kind.element.get_abi_size(context.target_data)
        return context.get_dummy_value()

    return types.void(array, start, value), generate


@intrinsic
def spread(typingctx, number):
    """Return a vector of nothing but `number`, a float32, float64, uint32 or uint64."""
    kind = _OF_SCALAR[number]

    def generate(context, builder, sig, args):
        return spread_of(builder, kind.llvm, args[0])

    return kind(number), generate


@intrinsic
def nothing(typingctx, like):
    """Return zeros of the kind of a vector."""

    def generate(context, builder, sig, args):
        return ir.Constant(like.llvm, [0] * like.count)

    return like(like), generate


@intrinsic
def eight_from(typingctx, first):
    """Return first, first + 1, ... first + 7, a uint64 each."""

    def generate(context, builder, sig, args):
        steps = ir.Constant(blocks.llvm, list(range(8)))
        return builder.add(spread_of(builder, blocks.llvm, args[0]), steps)

    return blocks(types.uint64), generate


def call_intrinsic(builder, name, values):
    """Call an intrinsic of LLVM whose operands and result are all of one vector type."""
    kind = values[0].type
    full = f"llvm.{name}.v{kind.count}{kind.element.intrinsic_name}"
    wanted = ir.FunctionType(kind, [kind] * len(values))
    return builder.call(cgutils.get_or_insert_function(builder.module, wanted, full), values)


def fused_multiply(builder, left, right, total):
    """Emit left * right + the vector that `total` points to, rounded once."""
    return call_intrinsic(builder, "fma", [left, right, builder.load(total)])


@intrinsic
def fused(typingctx, a, b, c):
    """Return a * b + c of floats, rounded once; at least one operand is a vector."""

    def generate(context, builder, sig, args):
        values = [
            _vector(context, builder, floats, given, value)
            for given, value in zip(sig.args, args, strict=True)
        ]
        return call_intrinsic(builder, "fma", values)

    return floats(a, b, c), generate


@intrinsic
def smaller(typingctx, value, bound):
    """Return the smaller of floats and a bound, element by element."""

    def generate(context, builder, sig, args):
        limit = _vector(context, builder, floats, sig.args[1], args[1])
        return builder.select(builder.fcmp_ordered("<", args[0], limit), args[0], limit)

    return floats(value, bound), generate


@intrinsic
def magnitude(typingctx, value):
    """Return the absolute values of floats."""

    def generate(context, builder, sig, args):
        return call_intrinsic(builder, "fabs", args)

    return floats(value), generate


@intrinsic
def root(typingctx, value):
    """Return the square roots of floats."""

    def generate(context, builder, sig, args):
        return call_intrinsic(builder, "sqrt", args)

    return floats(value), generate


@intrinsic
def negative(typingctx, value):
    """Mark the floats whose sign bit is set."""

    def generate(context, builder, sig, args):
        bits = builder.bitcast(args[0], words.llvm)
        return builder.icmp_signed("<", bits, ir.Constant(words.llvm, [0] * 16))

    return marks(value), generate


@intrinsic
def signs(typingctx, value):
    """Return words of 32 set bits where the floats' sign bit is set, and 0 elsewhere."""

    def generate(context, builder, sig, args):
        bits = builder.bitcast(args[0], words.llvm)
        return builder.ashr(bits, ir.Constant(words.llvm, [31] * 16))

    return words(value), generate


@intrinsic
def alike(typingctx, left, right):
    """Mark where both or neither of two vectors of marks are set."""

    def generate(context, builder, sig, args):
        return builder.not_(builder.xor(*args))

    return marks(left, right), generate


@intrinsic
def bits_of(typingctx, value):
    """Return the bits of floats as words."""

    def generate(context, builder, sig, args):
        return builder.bitcast(args[0], words.llvm)

    return words(value), generate


@intrinsic
def floats_of(typingctx, bits):
    """Return the floats that have these words as their bits."""

    def generate(context, builder, sig, args):
        return builder.bitcast(args[0], floats.llvm)

    return floats(bits), generate


@intrinsic
def to_floats(typingctx, value):
    """Return words as floats of equal value, rounded to the nearest."""

    def generate(context, builder, sig, args):
        return builder.uitofp(args[0], floats.llvm)

    return floats(value), generate


@intrinsic
def braid(typingctx, w0, w1, w2, w3):
    """Return the words of eight Philox blocks in the order of their columns, twice sixteen.

    Each of the four operands holds one word of every block in the low halves of its elements.
    """

    def generate(context, builder, sig, args):
        narrow = [builder.bitcast(value, words.llvm) for value in args]
        pairs = order_of(*(place + side for place in range(0, 16, 2) for side in (0, 16)))
        low, high = (
            builder.bitcast(builder.shuffle_vector(*two, pairs), blocks.llvm)
            for two in (narrow[:2], narrow[2:])
        )
        halves = []
        for first in (0, 4):
            places = range(first, first + 4)
            order = order_of(*(place + side for place in places for side in (0, 8)))
            mixed = builder.shuffle_vector(low, high, order)
            halves.append(builder.bitcast(mixed, words.llvm))
        return context.make_tuple(builder, sig.return_type, halves)

    return types.UniTuple(words, 2)(w0, w1, w2, w3), generate


@intrinsic
def active_bits(typingctx, states, start):
    """Return 64 bytes of an array as the bits of one uint64, set where a byte is not 0."""
    kind = ir.VectorType(ir.IntType(8), 64)

    def generate(context, builder, sig, args):
        value = builder.load(address_of(context, builder, sig, args, kind))
        value.align = 1
        set_bits = builder.icmp_unsigned("!=", value, ir.Constant(kind, [0] * 64))
        return builder.bitcast(set_bits, ir.IntType(64))

    return types.uint64(states, start), generate


@intrinsic
def count_bits(typingctx, bits):
    """Return how many bits of a uint64 are set."""

    def generate(context, builder, sig, args):
        return builder.ctpop(args[0])

    return types.uint64(bits), generate


@intrinsic
def lowest_bit(typingctx, bits):
    """Return the position of the lowest set bit of a uint64, and 64 for 0."""

    def generate(context, builder, sig, args):
        return builder.cttz(args[0], ir.IntType(1)(0))

    return types.uint64(bits), generate


@intrinsic
def mask_of(typingctx, value):
    """Return marks as the low 16 bits of a uint64, the first mark lowest."""

    def generate(context, builder, sig, args):
        return builder.zext(builder.bitcast(args[0], ir.IntType(16)), ir.IntType(64))

    return types.uint64(value), generate


@intrinsic
def low_words(typingctx, first, second):
    """Return the low halves of two vectors of blocks one after the other, as sixteen words."""

    def generate(context, builder, sig, args):
        halves = [builder.bitcast(value, words.llvm) for value in args]
        return builder.shuffle_vector(*halves, order_of(*range(0, 32, 2)))

    return words(first, second), generate

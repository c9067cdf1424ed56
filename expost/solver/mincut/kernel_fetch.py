"""A compiled hint: bring an element of an array into the cache ahead of its use."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic


@intrinsic
def fetch(_context: Any, array: Any, index: Any) -> Any:
    """Prefetch ``array[index]``, a one-dimensional array; ``index`` must not be negative."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        values = cgutils.create_struct_proxy(array)(context, builder, arguments[0])
        place = builder.gep(values.data, [arguments[1]])
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        hint = builder.module.declare_intrinsic(
            "llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        )
        # read, keep in all caches, data
        builder.call(hint, [builder.bitcast(place, byte), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate

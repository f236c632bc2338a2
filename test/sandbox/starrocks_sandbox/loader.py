"""From the body of a load to staged rows: decompress, read, convert, filter.

Runs in a worker thread; it touches no shared state except the table definition
it was given.
"""

import bz2
import json
import random
import zlib
from dataclasses import dataclass, field

import duckdb
import lz4.frame
import pyarrow as pa
import pyarrow.compute as pc
import zstandard
from sqlglot import exp

from .catalog import OP_COLUMN, quote
from .coltypes import KEY_WIDTH, ColType
from .columnar import careful_text
from .csvread import CsvSource
from .errors import LoadError
from .expressions import duck_sql, fast_binary
from .jsonread import JsonSource

KEY_LIMIT = 128
ERROR_LINES = 50
_TINYINT = ColType("TINYINT")


@dataclass
class Staged:
    """What the store writes, and the counts of the reply."""

    db: str
    table_name: str
    table_id: int
    partial: bool
    merge_condition: str | None = None
    arrow: pa.Table | None = None
    has_op: bool = False
    total: int = 0
    loaded: int = 0
    filtered: int = 0
    unselected: int = 0
    deletes: int = 0
    errors: list = field(default_factory=list)      # lines of the error log
    failure: str | None = None                   # the load fails with this text
    numbers: dict | None = None                  # of the columns it was planned for, by name


def decompress(body, name):
    """The plain body; raises LoadError if it is not what the header says."""
    try:
        if name in (None, ""):
            return body
        if name == "gzip":
            return _gunzip(body)
        if name == "deflate":
            return zlib.decompress(body)
        if name == "bzip2":
            return bz2.decompress(body)
        if name == "zstd":
            reader = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True)
            return reader.read()
        return lz4.frame.decompress(body)
    except (zlib.error, OSError, ValueError, EOFError, zstandard.ZstdError, RuntimeError) as why:
        raise LoadError(f"Failed to decompress {name} data: {why}") from None


def _gunzip(body):
    out = []
    while body:
        stream = zlib.decompressobj(31)
        out.append(stream.decompress(body))
        if not stream.eof:
            raise EOFError("compressed stream ended early")
        body = stream.unused_data
    return b"".join(out)


class Loader:
    """Stages one body for one table."""

    def __init__(self, spec, plan, table, shuffle=False, reject=None):
        self.spec, self.plan, self.table = spec, plan, table
        self.shuffle, self.reject = shuffle, reject
        self.bad = {}                       # row -> message
        self.out = Staged(table.db, table.name, table.id, spec.partial_update, spec.merge_condition,
                          numbers={c.name: c.number for c in table.columns})

    def run(self, body):
        """Returns Staged; a failure that needs the counts is in its `failure`."""
        body = decompress(body, self.spec.compression)
        reader = JsonSource if self.spec.format == "json" else CsvSource
        self.source = source = reader(body, self.spec, self.plan)
        arrays = self._columns()
        ops = self._operations()
        unselected = self._unselected(arrays)
        self._apply_reject(arrays)
        out = self.out
        out.total = source.count + len(source.rejected)
        out.filtered = len(self.bad) + len(source.rejected)
        out.unselected = len(unselected - self.bad.keys())
        out.loaded = out.total - out.filtered - out.unselected
        self._error_log()
        out.failure = self._verdict()
        if out.failure is None:
            self._stage(arrays, ops, unselected)
        return out

    # -- columns -----------------------------------------------------------

    def _columns(self):
        arrays = {}
        for column, index in self.plan.direct:
            array, misfits = self.source.staged(index, column.type)
            arrays[column.name] = self._checked(column, array, misfits)
        for column, expression in self.plan.computed:
            array, misfits = self._computed(column, expression)
            arrays[column.name] = self._checked(column, array, misfits)
        return arrays

    def _computed(self, column, expression):
        texts = fast_binary(expression, self.plan.sources, self.source, column.type)
        if texts is not None:
            return texts
        return careful_text(self._evaluate(expression), column.type)

    def _evaluate(self, expression):
        """An expression over the source fields, all of them VARCHAR, as texts."""
        fields = sorted({c.name.lower() for c in expression.find_all(exp.Column)})
        names = [name.lower() for name in self.plan.sources]
        columns = {name: pa.array(self.source.texts(names.index(name)), pa.string()) for name in fields}
        columns["__row"] = pa.array(range(self.source.count), pa.int64())
        rows = _query(pa.table(columns), f"SELECT CAST({duck_sql(expression)} AS VARCHAR) FROM rows ORDER BY __row")
        return [row[0] for row in rows]

    def _checked(self, column, array, misfits):
        """Apply strict mode, then NOT NULL; deletes are checked like any row."""
        for row, (why, value) in misfits.items():
            too_long = "too long" in why and self.spec.format == "json"
            if self.spec.strict_mode or too_long:
                shown = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                self.bad.setdefault(row, _misfit_message(column, why, shown))
        if not column.nullable and array.null_count:
            if column.auto_increment:
                raise LoadError(f"NULL value in auto increment column '{column.name}'")
            for row in pc.indices_nonzero(pc.is_null(array)).to_pylist():
                self.bad.setdefault(row, f"NULL value in non-nullable column '{column.name}'")
        return array

    def _operations(self):
        """A list of operations per row, or None if all rows are upserts."""
        plan = self.plan
        if plan.op_source is None and plan.op_expr is None:
            return [1] * self.source.count if plan.op_const else None
        if plan.op_expr is not None:
            array, misfits = careful_text(self._evaluate(plan.op_expr), _TINYINT)
        else:
            array, misfits = self.source.staged(plan.op_source, _TINYINT)
        for row, (why, _) in misfits.items():
            self.bad.setdefault(row, f"invalid value of {OP_COLUMN}: {why}")
        if array.null_count == len(array) or not pc.any(pc.not_equal(array, 0)).as_py():
            return None
        return [1 if op else 0 for op in array.to_pylist()]

    # -- filters -----------------------------------------------------------

    def _matching(self, arrays, predicate):
        """Rows for which a predicate over the target columns is true."""
        columns = {quote(c.name): (c, arrays[c.name]) for c in self.plan.columns()}
        staged = pa.table({c.name: a for c, a in columns.values()})
        staged = staged.append_column("__row", pa.array(range(len(staged)), pa.int64()))
        select = ", ".join(f"CAST({q} AS {c.type.duck()}) AS {q}" for q, (c, _) in columns.items())
        rows = _query(staged, f"SELECT __row FROM (SELECT __row, {select} FROM rows) WHERE {predicate}")
        return {row[0] for row in rows}

    def _unselected(self, arrays):
        if not self.spec.where:
            return set()
        chosen = self._matching(arrays, duck_sql(self.spec.where))
        return set(range(self.source.count)) - chosen

    def _apply_reject(self, arrays):
        if self.reject and self.source.count:
            for row in self._matching(arrays, duck_sql(self.reject)):
                self.bad.setdefault(row, "rejected by an injected fault")

    def _verdict(self):
        out = self.out
        considered = out.total - out.unselected
        if out.filtered and out.filtered > considered * self.spec.max_filter_ratio:
            return "too many filtered rows"
        if out.loaded == 0:
            return "all partitions have no load data"
        return None

    def _error_log(self):
        for text, why in self.source.rejected[:ERROR_LINES]:
            self.out.errors.append(f"Error: {why}. Row: {text.rstrip()}")
        for row in sorted(self.bad)[:ERROR_LINES - len(self.out.errors)]:
            self.out.errors.append(f"Error: {self.bad[row]}. Row: {self.source.row_text(row)}")

    # -- staging -----------------------------------------------------------

    def _stage(self, arrays, ops, unselected):
        table = pa.table({c.name: arrays[c.name] for c in self.plan.columns()})
        if ops is not None:
            table = table.append_column(OP_COLUMN, pa.array(ops, pa.int8()))
            self.out.has_op = True
        dropped = unselected | self.bad.keys()
        if dropped:
            table = table.take([i for i in range(len(table)) if i not in dropped])
        if ops is not None:
            self.out.deletes = sum(table[OP_COLUMN].to_pylist())
        if self.table.upserts:
            self._check_key_size(table)
            table = self.last_per_key(table)
        self.out.arrow = table

    def _check_key_size(self, table):
        keys = self.table.keys()
        strings = [c for c in keys if c.type.is_string()]
        if not strings:
            return
        fixed = sum(KEY_WIDTH[c.type.name] for c in keys if not c.type.is_string())
        # All strings but a last one end with two bytes.
        fixed += 2 * sum(1 for c in strings if c is not keys[-1])
        size = None
        for column in strings:
            length = pc.binary_length(table[column.name])
            size = length if size is None else pc.add(size, length)
        longest = pc.max(size).as_py()
        if longest is not None and longest + fixed > KEY_LIMIT:
            raise LoadError(f"primary key size exceed the limit: {longest + fixed} > {KEY_LIMIT}")

    def last_per_key(self, table):
        keys = [key_list(table[c.name]) for c in self.table.keys()]
        values = keys[0] if len(keys) == 1 else list(zip(*keys))
        last = dict(zip(values, range(len(values))))
        if len(last) == len(values):
            return table
        if self.shuffle:
            return table.take(_not_last(values))
        return table.take(sorted(last.values()))


def combine(parts, loader):
    """The staged bodies of one transaction as one load."""
    first, *more = parts
    for part in more:
        for name in ("total", "loaded", "filtered", "unselected", "deletes"):
            setattr(first, name, getattr(first, name) + getattr(part, name))
        first.errors += part.errors
        first.failure = first.failure or part.failure
    if not more or first.failure:
        return first
    has_op = any(part.has_op for part in parts)
    tables = [_with_op(part) if has_op else part.arrow for part in parts]
    first.has_op, first.arrow = has_op, pa.concat_tables(tables)
    if loader.table.upserts:
        first.arrow = loader.last_per_key(first.arrow)
    parts[:] = [first]
    return first


def _with_op(part):
    if part.has_op:
        return part.arrow
    return part.arrow.append_column(OP_COLUMN, pa.array([0] * len(part.arrow), pa.int8()))


def pack(staged):
    """A staged load as (JSON, bytes), to be kept."""
    fields = {k: v for k, v in staged.__dict__.items() if k != "arrow"}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, staged.arrow.schema) as writer:
        writer.write_table(staged.arrow)
    return json.dumps(fields), sink.getvalue().to_pybytes()


def unpack(payload, rows):
    return Staged(**json.loads(payload), arrow=pa.ipc.open_stream(rows).read_all())


def key_list(array):
    """Key values for comparing; dates as numbers, since Python's have no year 0."""
    if pa.types.is_date32(array.type):
        array = array.cast(pa.int32())
    elif pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    return array.to_pylist()


def _not_last(values):
    """One row per key, never the last of several: order is an accident, not a promise."""
    groups = {}
    for i, value in enumerate(values):
        groups.setdefault(value, []).append(i)
    return sorted(rows[0] if len(rows) == 1 else random.choice(rows[:-1]) for rows in groups.values())


def _misfit_message(column, why, value):
    shown = value if len(value) <= 128 else value[:128] + "..."
    if column.type.name == "DECIMAL" and why == "out of range":
        return f"Decimal '{shown}' is out of range. The type of '{column.name}' is {column.type.sql()}"
    if column.type.is_string():
        return (f"String '{shown}'(length={len(value.encode())}) is too long. "
                f"The max length of '{column.name}' is {column.type.length}")
    return (f"The field (name = {column.name}) is out of range. Type: {column.type.sql()}, "
            f"Value length: {len(value)}, Value: {shown}")


def _query(table, sql):
    """Rows of a query over an Arrow table, in an engine of its own."""
    con = duckdb.connect(":memory:", config={"threads": 1})
    try:
        con.register("rows", table)
        return con.execute(sql).fetchall()
    except duckdb.Error as why:
        raise LoadError(f"expression failed: {str(why).splitlines()[0]}") from None
    finally:
        con.close()

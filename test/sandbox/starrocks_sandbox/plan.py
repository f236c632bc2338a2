"""Which source field or expression feeds which column of the table."""

import re
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from .catalog import OP_COLUMN
from .errors import LoadError

_OPS = {"upsert": 0, "delete": 1}
_QUOTED = re.compile("`((?:[^`]|``)*)`")


@dataclass
class Plan:
    sources: list = field(default_factory=list)    # field names, in file order
    direct: list = field(default_factory=list)     # (Column, index into sources)
    computed: list = field(default_factory=list)   # (Column, expression)
    op_source: int | None = None
    op_const: int = 0
    op_expr: exp.Expression | None = None

    def columns(self):
        return [c for c, _ in self.direct] + [c for c, _ in self.computed]


def split_list(text):
    """Split at commas that are outside quotes and parentheses."""
    items, depth, quote, start = [], 0, "", 0
    for i, ch in enumerate(text):
        if quote:
            quote = "" if ch == quote else quote
        elif ch in "'\"`":
            quote = ch
        elif ch == "(":
            depth += 1
        elif ch == ")":
            depth -= 1
        elif ch == "," and depth == 0:
            items.append(text[start:i])
            start = i + 1
    items.append(text[start:])
    return [item.strip() for item in items if item.strip()]


def _parse_item(item):
    """(name, expression or None) of one entry of the columns header."""
    if item.startswith("`"):
        quoted = _QUOTED.match(item)
        if quoted is None:
            raise LoadError(f"parse columns header failed: {item}")
        name, rest = quoted[1].replace("``", "`"), item[quoted.end():].strip()
    else:
        name, _, rest = item.partition("=")
        name, rest = name.strip(), "=" + rest if "=" in item else ""
    if not name or (rest and not rest.startswith("=")):
        raise LoadError(f"parse columns header failed: {item}")
    if not rest:
        return name, None
    try:
        return name, sqlglot.parse_one(rest[1:], read="starrocks")
    except SqlglotError:
        raise LoadError(f"parse columns header failed, expression: {rest[1:].strip()}") from None


def _constant_op(text):
    """The operation of a literal, or None if the text is no operation."""
    lowered = text.strip().lower()
    if lowered in _OPS:
        return _OPS[lowered]
    return int(lowered) if lowered.isdigit() else None


def _set_op(plan, expression, names):
    if isinstance(expression, exp.Literal):
        op = _constant_op(expression.name)
        if op is None and expression.is_string:
            raise LoadError(f"load op type string not supported: {expression.name}")
        if op not in (0, 1):
            raise LoadError("const load op type column should only be upsert(0)/delete(1)")
        plan.op_const = op
    elif isinstance(expression, exp.Column) and expression.name.lower() in names:
        plan.op_source = names[expression.name.lower()]
    else:
        plan.op_expr = expression


def _plain(spec, table):
    """No columns header: every base column, by position or by name."""
    plan = Plan(sources=[c.name for c in table.columns])
    plan.direct = list(zip(table.columns, range(len(table.columns))))
    if spec.format == "json" and table.model == "PRIMARY":
        plan.op_source = len(plan.sources)
        plan.sources.append(OP_COLUMN)
    return plan


def _from_header(spec, table):
    plan = Plan()
    items = [_parse_item(item) for item in split_list(spec.columns)]
    plan.sources = [name for name, expression in items if expression is None]
    names = {name.lower(): i for i, name in reversed(list(enumerate(plan.sources)))}
    given = {name.lower() for name, _ in items}
    if OP_COLUMN in given and table.model != "PRIMARY":
        raise LoadError(f"unknown column '{OP_COLUMN}' in table '{table.name}': not a primary key table")
    computed = {name.lower(): expression for name, expression in items if expression is not None}
    _check_references(computed, names)
    if OP_COLUMN in computed:
        _set_op(plan, computed.pop(OP_COLUMN), names)
    elif OP_COLUMN in names:
        plan.op_source = names[OP_COLUMN]
    elif spec.format == "json" and table.model == "PRIMARY":
        plan.op_source = len(plan.sources)
        plan.sources.append(OP_COLUMN)
    for column in table.columns:
        name = column.name.lower()
        if name in computed:
            plan.computed.append((column, computed.pop(name)))
        elif name in names:
            plan.direct.append((column, names[name]))
    if computed:
        raise LoadError(f"unknown column '{next(iter(computed))}' in table '{table.name}'")
    return plan


def _check_references(computed, names):
    for expression in computed.values():
        for column in expression.find_all(exp.Column):
            if column.name.lower() not in names:
                raise LoadError(f"unknown reference column, column={column.name}")


def _check_model(spec, table):
    if table.model != "PRIMARY":
        if spec.partial_update:
            raise LoadError("Only primary key table support partial update")
        if spec.merge_condition:
            raise LoadError("Conditional update only support primary key table")
    elif spec.negative:
        raise LoadError("Primary key table does not support negative load")
    if spec.merge_condition:
        column = table.find(spec.merge_condition)
        if column is None or column.key or column.type.name in ("CHAR", "VARCHAR", "JSON"):
            raise LoadError(f"merge condition column {spec.merge_condition} is not usable")


def build(spec, table):
    """Plan a load; raises LoadError for what the FE's planner refuses."""
    _check_model(spec, table)
    plan = _from_header(spec, table) if spec.columns else _plain(spec, table)
    given = {c.name for c in plan.columns()}
    for column in table.columns:
        if column.name in given:
            continue
        if spec.partial_update:
            if column.key:
                raise LoadError(f"key column {column.name} not in partial update columns")
        elif not column.nullable and not column.has_default():
            raise LoadError(f"Column has no default value. column: {column.name}")
    return plan

"""A CSV body as rows of text, split plainly or by the quoting state machine."""

from .columnar import careful_text

NULL = b"\\N"


def _split_plain(body, spec):
    rows = body.split(spec.row_delimiter)
    if rows and not rows[-1]:
        rows.pop()
    for row in rows:
        if not row:
            continue
        fields = row.split(spec.column_separator)
        if spec.trim_space:
            fields = [f.strip(b" ") for f in fields]
        yield row, fields


class _Machine:
    """Reads rows with enclose and escape; one instance per body."""

    def __init__(self, body, spec):
        self.body, self.spec, self.pos = body, spec, 0
        self.sep, self.end = spec.column_separator, spec.row_delimiter

    def rows(self):
        size = len(self.body)
        while self.pos < size:
            start = self.pos
            fields, closed = self._row()
            text = self.body[start:self.pos]
            if fields == [b""] and text in (b"", self.end):
                continue
            yield text, fields, closed

    def _row(self):
        fields = []
        while True:
            value, stop = self._field()
            fields.append(value)
            if stop != "sep":
                return fields, stop == "row"

    def _field(self):
        body, spec = self.body, self.spec
        if spec.trim_space:
            while body[self.pos:self.pos + 1] == b" ":
                self.pos += 1
        enclosed = bool(spec.enclose) and self.pos < len(body) and body[self.pos] == spec.enclose
        if enclosed:
            self.pos += 1
        out = bytearray()
        while self.pos < len(body):
            ch = body[self.pos]
            if spec.escape and ch == spec.escape and self.pos + 1 < len(body):
                out.append(body[self.pos + 1])
                self.pos += 2
            elif enclosed:
                if ch != spec.enclose:
                    out.append(ch)
                    self.pos += 1
                elif body[self.pos + 1:self.pos + 2] == bytes((spec.enclose,)):
                    out.append(ch)
                    self.pos += 2
                else:
                    enclosed = False
                    self.pos += 1
            elif body.startswith(self.sep, self.pos):
                self.pos += len(self.sep)
                return self._trim(out), "sep"
            elif body.startswith(self.end, self.pos):
                self.pos += len(self.end)
                return self._trim(out), "row"
            else:
                out.append(ch)
                self.pos += 1
        return self._trim(out), "eof"

    def _trim(self, out):
        return bytes(out).rstrip(b" ") if self.spec.trim_space else bytes(out)


class CsvSource:
    """The good rows of a CSV body; bad rows are kept aside for the error log."""

    def __init__(self, body, spec, plan):
        self.rejected, self.lines, rows = [], [], []
        expected = len(plan.sources)
        machine = bool(spec.enclose or spec.escape)
        found = _Machine(body, spec).rows() if machine else (
            (text, fields, True) for text, fields in _split_plain(body, spec))
        skip = spec.skip_header
        for text, fields, closed in found:
            if skip > 0:
                skip -= 1
            elif len(fields) != expected:
                # The state machine drops a torn last row without a word.
                if closed:
                    self._reject(text, _count_message(expected, len(fields), spec))
            else:
                row = self._decode(text, fields)
                if row is not None:
                    rows.append(row)
                    self.lines.append(text)
        self.rows = rows
        self.count = len(rows)

    def _reject(self, text, message):
        self.rejected.append((text.decode("utf-8", "replace"), message))

    def _decode(self, text, fields):
        try:
            return [None if f == NULL else f.decode() for f in fields]
        except UnicodeDecodeError:
            self._reject(text, "Invalid UTF-8 row")
            return None

    def texts(self, index):
        return [row[index] for row in self.rows]

    def staged(self, index, kind):
        return careful_text(self.texts(index), kind)

    def row_text(self, row):
        return self.lines[row][:1024].decode("utf-8", "replace")


def _count_message(expected, actual, spec):
    def shown(raw):
        return raw.decode("latin-1").replace("\t", "\\t").replace("\n", "\\n")

    return (f"Target column count: {expected} doesn't match source value column count: {actual}. "
            f"Column separator: '{shown(spec.column_separator)}', "
            f"Row delimiter: '{shown(spec.row_delimiter)}'")

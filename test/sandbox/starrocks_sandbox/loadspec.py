"""The request headers of a Stream Load, checked as the BE checks them."""

import json
import re
import uuid
from dataclasses import dataclass, field

from .errors import HeaderError

LABEL = re.compile(r"[-_A-Za-z0-9]{1,128}")
JSON_BATCH_LIMIT = 104857600
TIMEOUT_MAX = 259200
CSV_COMPRESSED = {"gzip", "bzip2", "lz4", "deflate", "zstd"}
JSON_COMPRESSION = {"gzip", "bzip2", "lz4_frame", "zstd"}
MAX_SEPARATOR = 50


@dataclass
class LoadSpec:
    label: str
    format: str = "csv"
    compression: str | None = None
    columns: str | None = None
    where: str | None = None
    column_separator: bytes = b"\t"
    row_delimiter: bytes = b"\n"
    skip_header: int = 0
    trim_space: bool = False
    enclose: int = 0
    escape: int = 0
    jsonpaths: list | None = None
    json_root: str | None = None
    strip_outer_array: bool = False
    ignore_json_size: bool = False
    strict_mode: bool = False
    max_filter_ratio: float = 0.0
    timeout: int = 600
    partial_update: bool = False
    merge_condition: str | None = None
    negative: bool = False
    content_length: int | None = None
    headers: dict = field(default_factory=dict)


def label_of(headers):
    """The label asked for, or a new one; an illegal one raises HeaderError."""
    label = headers.get("label", "")
    if not label:
        return str(uuid.uuid4())
    if not LABEL.fullmatch(label):
        raise HeaderError(
            f"Label format error. regex: ^[-_A-Za-z0-9]{{1,128}}$, label: {label}")
    return label


def _boolean(headers, name, message):
    value = headers.get(name, "false").strip().lower()
    if value not in ("true", "false"):
        raise HeaderError(message)
    return value == "true"


def integer(headers, name, default, low, high, message):
    value = headers.get(name)
    if value is None:
        return default
    if not re.fullmatch(r"-?\d{1,18}", value.strip()) or not low <= int(value) <= high:
        raise HeaderError(message)
    return int(value)


def _separator(headers, name, default):
    """A separator as it stands, or in hexadecimal after \\x."""
    value = headers.get(name)
    if value is None:
        return default
    match = re.fullmatch(r"\\{1,2}[xX]([0-9A-Fa-f]*)", value)
    if match:
        digits = match.group(1)
        if not digits or len(digits) % 2:
            raise HeaderError(f"Invalid {name}: {value}, hex string must have an even, non-zero length")
        raw = bytes.fromhex(digits)
    else:
        raw = value.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r").encode()
    if not 1 <= len(raw) <= MAX_SEPARATOR:
        raise HeaderError(f"Invalid {name}: the length must be between 1 and {MAX_SEPARATOR}")
    return raw


def _format(headers, spec):
    name = headers.get("format", "csv").strip().lower()
    if name in ("csv", "json"):
        spec.format = name
    elif name in CSV_COMPRESSED:
        spec.compression = name
    else:
        raise HeaderError(f"unknown data format, format={headers['format']}")


def _compression(headers, spec):
    ours, theirs = headers.get("compression"), headers.get("content-encoding")
    if ours and theirs:
        raise HeaderError("Only one of http header content-encoding and compression can be set")
    name = (ours or theirs or "").strip().lower()
    if not name:
        return
    if name not in JSON_COMPRESSION:
        raise HeaderError(f"Unsupported compression type: {ours or theirs}")
    spec.compression = name


def _ratio(headers):
    value = headers.get("max_filter_ratio")
    if value is None:
        return 0.0
    try:
        ratio = float(value)
    except ValueError:
        ratio = -1.0
    if not 0.0 <= ratio <= 1.0:
        raise HeaderError("Invalid max filter ratio, must be between 0 and 1")
    return ratio


def _jsonpaths(headers):
    value = headers.get("jsonpaths")
    if not value:
        return None
    try:
        paths = json.loads(value)
    except ValueError:
        paths = None
    if not isinstance(paths, list) or not all(isinstance(p, str) for p in paths):
        raise HeaderError(f"Invalid json path: {value}")
    return paths


def _csv_options(headers, spec):
    spec.column_separator = _separator(headers, "column_separator", b"\t")
    spec.row_delimiter = _separator(headers, "row_delimiter", b"\n")
    spec.skip_header = integer(headers, "skip_header", 0, 0, 2**31, "Invalid csv load skip header format")
    spec.trim_space = _boolean(headers, "trim_space", "Invalid trim space format. Must be bool type")
    spec.enclose = (headers.get("enclose") or "\0").encode()[0]
    spec.escape = (headers.get("escape") or "\0").encode()[0]


def _size(headers, spec, max_bytes):
    length = headers.get("content-length")
    if length is None:
        return
    spec.content_length = int(length)
    if spec.content_length > max_bytes:
        raise HeaderError(f"body size {spec.content_length} exceed limit: {max_bytes}")
    if spec.format == "json" and spec.content_length > JSON_BATCH_LIMIT and not spec.ignore_json_size:
        raise HeaderError(
            f"The size of this batch exceed the max size [{JSON_BATCH_LIMIT}]  of json type data "
            f" data [ {spec.content_length} ]. Set ignore_json_size to skip the check, although it "
            "may lead huge memory consuming.")


def parse(headers, label, max_bytes):
    """Build the LoadSpec of a request; raises HeaderError."""
    spec = LoadSpec(label=label, headers=headers)
    _format(headers, spec)
    _compression(headers, spec)
    spec.ignore_json_size = headers.get("ignore_json_size", "").strip().lower() == "true"
    _size(headers, spec, max_bytes)
    _csv_options(headers, spec)
    spec.columns = headers.get("columns") or None
    spec.where = headers.get("where") or None
    if headers.get("partitions") and headers.get("temporary_partitions"):
        raise HeaderError("Can't specify both partitions and temporary partitions")
    spec.jsonpaths = _jsonpaths(headers)
    spec.json_root = headers.get("json_root") or None
    spec.strip_outer_array = headers.get("strip_outer_array", "").strip().lower() == "true"
    spec.strict_mode = _boolean(headers, "strict_mode", "Invalid strict mode format. Must be bool type")
    spec.max_filter_ratio = _ratio(headers)
    spec.timeout = integer(headers, "timeout", 600, 1, TIMEOUT_MAX, "Invalid timeout format")
    integer(headers, "load_mem_limit", 0, 0, 2**62, "Invalid load mem limit format")
    integer(headers, "exec_mem_limit", 0, 0, 2**62, "Invalid load mem limit format")
    integer(headers, "log_rejected_record_num", 0, -1, 2**62, "Invalid log_rejected_record_num format")
    spec.partial_update = _boolean(
        headers, "partial_update", "Invalid partial update flag format. Must be bool type")
    spec.merge_condition = headers.get("merge_condition") or None
    spec.negative = headers.get("negative", "").strip().lower() == "true"
    if headers.get("enable_merge_commit", "").strip().lower() == "true":
        raise HeaderError("merge commit is not supported by this server")
    if headers.get("envelope"):
        raise HeaderError(f"unsupported envelope: {headers['envelope']}")
    return spec

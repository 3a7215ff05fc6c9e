"""Bad input of the stage collect, file by file: text, CSV, JSON and tables."""

from __future__ import annotations

import io
import json
import os
import pickle
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bad_input.project import Case, Keeps, Quarantines, Stops

UTF16, UTF32 = "UTF-16", "UTF-32"
FRENCH = "Le café de la gare est fermé à midi, où l'on sert déjà le thé glacé.".encode("cp1252")


def objects(*values: str) -> str:
    """JSON Lines with a good record after the bad ones."""
    return "\n".join(values) + '\n{"text": "good"}\n'


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


def flipped(content: bytes, word: bytes) -> bytes:
    """The content with one bit of `word` in it changed."""
    place = content.index(word)
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def _numpy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([{}], dtype=object), allow_pickle=True)


TABLE = parquet({"text": [f"text {number}" for number in range(1000)]})
CHECKED = parquet({"text": ["a needle in the hay"]}, compression="none", write_page_checksum=True)
ZONED = pa.array([datetime(2020, 1, 1)], pa.timestamp("us", tz="Europe/Berlin"))

_text = partial(Case, file="data.txt")
_csv = partial(Case, file="data.csv")
_parquet = partial(Case, file="data.parquet")

CASES = [
    _text("invalid_utf8", "a line of cp1252", b"good\n" + FRENCH + b"\ngood\n",
          Quarantines({"invalid_utf8": 1}, 2, offset=11, says=r"byte 0xe9; the file looks like \w+: set `encoding: ")),
    _text("invalid_utf8", "all of the file", FRENCH + b"\n", Stops("0 records in data.txt: line 1 .*invalid_utf8")),
    _text("bom", "UTF-8 with a byte order mark", b"\xef\xbb\xbfgood\n", Keeps(("good",), {"bom": 1})),
    _text("utf16", "with a byte order mark", "hello".encode("utf-16"), Stops("looks like UTF-16; convert .*iconv")),
    _text("utf16", "without one", "hello world".encode("utf-16-le"), Stops("looks like UTF-16")),
    _text("utf16", "UTF-32", "hello".encode("utf-32"), Stops("looks like UTF-32; convert it with `iconv")),
    _text("nul_bytes", "as they are", b"go\0od\ngood\n", Quarantines({"nul_byte": 1}, 1, 0, "nul_bytes: strip")),
    _text("nul_bytes", "stripped", b"go\0od\n", Keeps(("good",), {"nul_byte": 1}), settings={"nul_bytes": "strip"}),
    _text("long_line", "beyond max_line_bytes", "x" * 5000 + "\ngood\n", Quarantines({"line_too_long": 1}, 1, 0),
          settings={"max_line_bytes": 4096}),
    _csv("csv_field", "200,000 characters are read", f"text\n{'x' * 200_000}\n", Keeps(("x" * 200_000,))),
    _csv("csv_field", "beyond max_line_bytes", f"text\n{'x' * 200_000}\ngood\n",
         Quarantines({"line_too_long": 1}, 2, 5),
         settings={"max_line_bytes": 150_000}),
    _csv("csv_ragged", "too few and too many fields", "text,n\na,1\nb\nc,2,3\nd,4\n",
         Quarantines({"ragged_row": 2}, 3, 11, "1 fields under 2 columns")),
    _csv("csv_ragged", "a quote that is never closed", 'text\ngood\n"open\n\n', Quarantines({"truncated": 1}, 3, 10)),
    _csv("csv_header", "one name twice", "text,text\na,1\n", Stops("header names text more than once; rename")),
    _csv("csv_header", "semicolons", "text;n\na;1\n", Stops(r"no field text; found text;n\..*parted by ';'")),
    _csv("csv_formula", "is text to us", "text\n=cmd()\n+1\n@SUM(A1)\n", Keeps(("=cmd()", "+1", "@SUM(A1)"))),
    Case("json_constants", "NaN", objects('{"text": "a", "n": NaN}'),
         Quarantines({"invalid_json": 1}, 1, 0, "NaN is not JSON")),
    Case("json_constants", "Infinity and 1e999", objects('{"text": "a", "n": -Infinity}', '{"text": "a", "n": 1e999}'),
         Quarantines({"invalid_json": 2}, 1, 0, "Infinity is not JSON")),
    Case("json_integer", "5,000 digits", objects('{"text": "a", "n": ' + "1" * 5000 + "}"),
         Quarantines({"invalid_json": 1}, 1, 0, "beyond 64 bits")),
    Case("json_integer", "2**63", objects('{"text": "a", "n": 9223372036854775808}'),
         Quarantines({"invalid_json": 1}, 1, 0, "beyond 64 bits")),
    Case("json_shape", "an array in .jsonl", '[{"text": "a"},\n{"text": "b"}]\n', Keeps(("a", "b"))),
    Case("json_shape", "pretty-printed", '{\n "text": "a"\n}\n', Keeps(("a",)), file="data.json"),
    Case("json_shape", "a comma before the end", '[{"text": "a"},]', Quarantines({"invalid_json": 1}, 2, 15)),
    Case("json_shape", "an array that is cut off", '[{"text": "a"}, {"te', Quarantines({"truncated": 1}, 2, 16)),
    Case("json_shape", "a last line that is cut off", '{"text": "a"}\n{"te', Quarantines({"truncated": 1}, 2, 14)),
    Case("mixed_types", "text of every type", objects('{"text": 3}', '{"text": ["a"]}', '{"text": null}', '"text"'),
         Quarantines({"missing_text": 1, "not_a_string": 2, "not_an_object": 1}, 1, 0, "field 'text' holds int")),
    Case("columns", "too many", objects('{"text": "a", "more": {"text": 1}, "even": 2}', '{"text": "b", "more": 3}'),
         Keeps(("a", "b", "good"), unused={"even": 1, "more": 2})),
    Case("columns", "names that no terminal must see", '{"text": "a", "\\u001b[2J": 1, "\\ud800": 2}\n',
         Keeps(("a",), unused={r"\x1b[2J": 1, r"\ud800": 1})),
    Case("columns", "1,000 too many", json.dumps({"text": "a"} | {f"c{n:03}": n for n in range(1000)}) + "\n",
         Keeps(("a",), unused={f"c{n:03}": 1 for n in range(99)} | {"(others)": 1})),
    _csv("columns", "one too many in CSV", "text,n\na,1\nb,2\n", Keeps(("a", "b"), unused={"n": 2})),
    _parquet("columns", "one too many in Parquet", parquet({"text": ["a", "b"], "n": [[1], [2]]}),
             Keeps(("a", "b"), unused={"n": 2})),
    Case("columns", "a near miss", '{"txet": "a", "n": 1}\n',
         Stops(r"data.jsonl: no field text; found txet, n\. did you mean 'txet' for 'text'\?")),
    _csv("columns", "no such column", "body,n\na,1\n", Stops("no field text; found body, n")),
    Case("empty_file", "0 bytes", b"", Stops("0 records in data.jsonl: it is empty")),
    _csv("empty_file", "a header only", "text,n\n", Stops("0 records in data.csv: it is empty")),
    _text("empty_file", "white space only", " \n\t\n", Stops("0 records in data.txt: it is empty")),
    _parquet("parquet_damaged", "0 bytes", b"", Stops("data.parquet: is no parquet file, or empty; .*copy it again")),
    _parquet("parquet_damaged", "cut in the middle", TABLE[: len(TABLE) // 2],
             Stops("damaged Parquet .*copy it again")),
    _parquet("parquet_damaged", "a footer of 2 GB", TABLE[:-8] + b"\xff\xff\xff\x7fPAR1",
             Stops("damaged Parquet file")),
    _parquet("parquet_damaged", "a footer of noise", b"PAR1" + bytes(range(99)) + b"\x20\0\0\0PAR1", Stops("damaged")),
    _parquet("parquet_damaged", "another format", b"hello", Stops("is no parquet file")),
    _parquet("bit_flip", "one bit of a page", flipped(CHECKED, b"needle"), Stops("CRC checksum verification failed")),
    _parquet("parquet_types", "dictionary", parquet({"text": pa.array(["a"]).dictionary_encode()}), Keeps(("a",))),
    _parquet("parquet_types", "large string", parquet({"text": pa.array(["a"], pa.large_string())}), Keeps(("a",))),
    _parquet("parquet_types", "nested", parquet({"text": [["a"]]}), Stops("field 'text' holds list.*write it as str")),
    _parquet("parquet_types", "numbers", parquet({"text": [1]}), Stops("field 'text' holds int64, not strings")),
    _parquet("parquet_types", "decimal id", parquet({"text": ["a"], "n": [Decimal("1.5")]}), Keeps(("a",)),
             settings={"id": "n"}),
    _parquet("parquet_types", "time with a zone as id", parquet({"text": ["a"], "n": ZONED}), Keeps(("a",)),
             settings={"id": "n"}),
    _parquet("parquet_types", "a struct as id", parquet({"text": ["a"], "n": [{"x": 1}]}),
             Stops("field 'n' holds struct.*not single values"), settings={"id": "n"}),
    _parquet("parquet_types", "10,001 columns", parquet({"text": ["a"]} | {f"c{n}": [1] for n in range(10_000)}),
             Stops("has 10,001 columns, more than 10,000")),
    Case("pickled", "by its ending", b"x", Stops("pickled data and arrays are refused"), file="data.pkl"),
    Case("pickled", "a checkpoint", b"x", Stops("pickled data and arrays are refused"), file="data.pt"),
    Case("pickled", "by its bytes", pickle.dumps({"text": "a"}), Stops("is pickled, and reading it can run code")),
    _text("pickled", "an array of objects", _numpy, Stops("is a NumPy array; export the data")),
    Case("unreadable", "a pipe", os.mkfifo, Stops("'data.jsonl' is a pipe, a socket or a device")),
    Case("unreadable", "a link to nowhere", lambda path: path.symlink_to(path.with_name("gone")),
         Stops("no file match")),
    Case("unreadable", "a directory", lambda path: path.mkdir(), Stops("is a directory; name its files")),
    Case("folder_metadata", "a path in a record is not followed",
         json.dumps({"text": "a", "file_name": "../../etc/passwd"}) + "\n", Keeps(("a",)), file="metadata.jsonl"),
]  # fmt: skip

"""Blocks of equal length from encoded documents, as files of numbers that training memory-maps.

Documents follow one another, each with its frame: `[CLS] text [SEP]` of a tokenizer that was learned here. A block may
begin inside a document. Nothing is padded: the last incomplete block is dropped, so less than one block of tokens is
lost a split. Training reads the same tokens in rows that do not cut documents: see rows.py. `tokens.json` beside the
blocks says which tokenizer their ids belong to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lmforge.errors import InputError, IntegrityError
from lmforge.hashing import short
from lmforge.tokenization.encoding import DTYPE, WIDE, Encoded, id_type
from lmforge.tokenization.roles import roles_of
from lmforge.tokenization.rows import AGAIN, UNREADABLE, write_rows
from lmforge.tokenization.tokenizer import tokenizer_fingerprint

_ORIGIN = "tokens.json"


def write_blocks(path: Path, parts: Sequence[Encoded], block_length: int) -> int:
    """Write `[num_blocks, block_length]` of uint16, or uint32 if a part has it, to the .npy file at `path`.

    Returns num_blocks. parts: documents in order; memory-mapped ids are read one part at a time. `document_file` gets
    their positions, and the index of rows is written, too.
    """
    ends = np.concatenate([[0], *(part.lengths for part in parts)], dtype=np.int64).cumsum()
    num_blocks = int(ends[-1]) // block_length
    left = num_blocks * block_length
    # A shard without documents does not know how wide the ids of the others are.
    dtype = WIDE if any(part.ids.dtype == WIDE for part in parts) else DTYPE
    with path.open("wb") as file:
        header = {"descr": dtype.str, "fortran_order": False, "shape": (num_blocks, block_length)}
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            assert part.ids.dtype in (DTYPE, WIDE) and len(part.ids) == part.lengths.sum(), "no ids of these documents"
            part.ids[:left].astype(dtype, copy=False).tofile(file)
            left -= min(left, len(part.ids))
    num_tokens = num_blocks * block_length
    np.save(document_file(path), ends[ends <= num_tokens])
    write_rows(path, ends[ends <= num_tokens], num_tokens, block_length)
    return num_blocks


def write_origin(directory: Path, tokenizer_dir: Path, block_length: int) -> None:
    """Say beside the blocks of `directory` which tokenizer made them."""
    origin = {
        "tokenizer": tokenizer_fingerprint(tokenizer_dir),
        "vocab_size": len(roles_of(tokenizer_dir).ordinary),
        "block_length": block_length,
    }
    (directory / _ORIGIN).write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")


def document_file(blocks: Path) -> Path:
    """Beside a file of blocks: where documents begin and end in its stream of tokens, int64 [num_documents + 1]."""
    return blocks.with_name(f"{blocks.stem}_documents.npy")


def read_blocks(path: Path, tokenizer_dir: Path | None = None) -> np.ndarray:
    """Memory-map blocks: `[num_blocks, block_length]` of uint16 or uint32.

    tokenizer_dir: the tokenizer, or a model with it, that the ids must belong to; all of them are then looked at.
    Raises IntegrityError for a file that is no such array, InputError for blocks of another tokenizer.
    """
    try:
        blocks = np.load(path, mmap_mode="r", allow_pickle=False)
    except UNREADABLE as error:
        raise IntegrityError(f"{path}: not readable as token blocks ({error}); {AGAIN}") from error
    numbers = isinstance(blocks, np.ndarray) and blocks.dtype in (DTYPE, WIDE)
    if not isinstance(blocks, np.memmap) or not numbers or blocks.ndim != 2 or not blocks.flags.c_contiguous:
        found = f"{blocks.dtype} {blocks.shape}" if isinstance(blocks, np.ndarray) else type(blocks).__name__
        wanted = "little-endian uint16 or uint32 [num_blocks, block_length]"
        raise IntegrityError(f"{path}: holds {found}, not {wanted}; {AGAIN}")
    if (size := path.stat().st_size) != (expected := blocks.offset + blocks.nbytes):
        raise IntegrityError(f"{path}: {size} bytes found, {expected} expected; {AGAIN}")
    if tokenizer_dir is not None:
        _check_origin(path, blocks, tokenizer_dir)
    return blocks


def _check_origin(path: Path, blocks: np.ndarray, tokenizer_dir: Path) -> None:
    origin = _read_origin(path.with_name(_ORIGIN))
    wanted = tokenizer_fingerprint(tokenizer_dir)
    if origin["tokenizer"] != wanted:
        raise InputError(
            f"{path}: made with another tokenizer ({short(str(origin['tokenizer']))}) than that of {tokenizer_dir} "
            f"({short(wanted)}), so its ids mean other tokens; use the tokenizer beside the blocks, or tokenize again"
        )
    if blocks.shape[1] != origin["block_length"]:
        raise IntegrityError(f"{path}: blocks of {blocks.shape[1]} tokens, {origin['block_length']} expected; {AGAIN}")
    vocab_size = len(roles_of(tokenizer_dir).ordinary)
    if blocks.dtype != (dtype := id_type(origin["vocab_size"])):
        raise IntegrityError(f"{path}: holds {blocks.dtype}, not little-endian {dtype}; {AGAIN}")
    if (largest := int(blocks.max(initial=0))) >= vocab_size:
        raise IntegrityError(f"{path}: id {largest} in it, though the vocabulary has {vocab_size}; {AGAIN}")


def _read_origin(path: Path) -> dict[str, Any]:
    try:
        origin: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {name: origin[name] for name in ("tokenizer", "vocab_size", "block_length")}
    except FileNotFoundError as error:
        raise InputError(f"{path}: missing, so nobody knows which tokenizer made the blocks; tokenize again") from error
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path}: not what the stage tokenize writes; {AGAIN}") from error

"""Train a tokenizer on text and save it as a transformers directory.

Both kinds share five special tokens with fixed ids, so that every objective and architecture can count on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from lmforge.errors import InputError
from lmforge.recipe.schema import Tokenizer

SPECIAL_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
NUM_SPECIAL = len(SPECIAL_TOKENS)
PAD, UNK, CLS, SEP, MASK = range(NUM_SPECIAL)
TOKENIZER_FILE = "tokenizer.json"


def train_tokenizer(texts: Iterable[str], settings: Tokenizer, max_seq_length: int, out: Path) -> FastTokenizer:
    """Learn the vocabulary from `texts` and save the tokenizer to `out` in the form of `transformers`.

    Raises InputError when the text is too small for the vocabulary asked for.
    """
    tokenizer, trainer = _wordpiece(settings) if settings.kind == "wordpiece" else _byte_level_bpe(settings)
    tokenizer.train_from_iterator(texts, trainer)
    if (found := tokenizer.get_vocab_size()) < settings.vocab_size:
        raise InputError(
            f"tokenizer.vocab_size: {settings.vocab_size} asked for, but the clean corpus yields only {found} distinct "
            f"tokens; set tokenizer.vocab_size to {found} or less, or add text"
        )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    _save(tokenizer, max_seq_length, out)
    return load_tokenizer(out)


def load_tokenizer(directory: Path) -> FastTokenizer:
    """The fast tokenizer of a tokenizer or model directory, without importing transformers.

    "[SEP]" in a text is text, never the special token. Raises InputError when there is none that can be read.
    """
    path = directory / TOKENIZER_FILE
    if not path.is_file():
        raise InputError(f"{directory}: no tokenizer here ({TOKENIZER_FILE} is missing)")
    try:
        tokenizer = FastTokenizer.from_str(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not a tokenizer: {error}") from error
    tokenizer.encode_special_tokens = True
    return tokenizer


def _wordpiece(settings: Tokenizer) -> tuple[FastTokenizer, trainers.Trainer]:
    tokenizer = FastTokenizer(models.WordPiece(unk_token=SPECIAL_TOKENS["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=settings.lowercase, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=settings.vocab_size, special_tokens=list(SPECIAL_TOKENS.values()), show_progress=False
    )
    return tokenizer, trainer


def _byte_level_bpe(settings: Tokenizer) -> tuple[FastTokenizer, trainers.Trainer]:
    tokenizer = FastTokenizer(models.BPE(unk_token=None))
    if settings.lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocab_size,
        special_tokens=list(SPECIAL_TOKENS.values()),
        # Every byte has a token, so no text is unknown.
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    return tokenizer, trainer


def _save(tokenizer: FastTokenizer, max_seq_length: int, out: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=max_seq_length, split_special_tokens=True, **SPECIAL_TOKENS
    )
    wrapped.save_pretrained(out)

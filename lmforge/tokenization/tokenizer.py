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
    tokenizer = _wordpiece(settings) if settings.kind == "wordpiece" else _byte_level_bpe(settings)
    specials = list(SPECIAL_TOKENS.values())
    if settings.kind == "wordpiece":
        trainer = trainers.WordPieceTrainer(
            vocab_size=settings.vocab_size, special_tokens=specials, show_progress=False
        )
    else:
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=settings.vocab_size, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
        )
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
    return tokenizer


def load_tokenizer(directory: Path) -> FastTokenizer:
    """The fast tokenizer of a tokenizer or model directory, without importing transformers."""
    return FastTokenizer.from_file(str(directory / TOKENIZER_FILE))


def _wordpiece(settings: Tokenizer) -> FastTokenizer:
    tokenizer = FastTokenizer(models.WordPiece(unk_token=SPECIAL_TOKENS["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=settings.lowercase, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _byte_level_bpe(settings: Tokenizer) -> FastTokenizer:
    tokenizer = FastTokenizer(models.BPE(unk_token=None))
    if settings.lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _save(tokenizer: FastTokenizer, max_seq_length: int, out: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_seq_length, **SPECIAL_TOKENS)
    wrapped.save_pretrained(out)

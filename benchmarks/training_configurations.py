"""What `bench_training.py` compares, as data: networks, texts, peers and the goals of each configuration.

Goals are of wall time. Both sides use the same batch size, text and threads; a peer whose name ends in `_bs8` keeps the
batch size of its own script and has no goal. The peers keep the dropout of their scripts (0.1), ours has its default,
which is none; `ours_dropout` has theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import training_flops
from training_flops import Network

from models.architectures import SIZES

PEER_DROPOUT = 0.1


class Peer(NamedTuple):
    """A system of `training_peers.py`: who trains, and how texts become rows."""

    framework: str
    way: str
    batch_size: int | None = None
    once: bool = False


PEERS = {
    "trainer_group": Peer("trainer", "group"),
    "trainer_group_bs8": Peer("trainer", "group", batch_size=8, once=True),
    "trainer_line_dynamic": Peer("trainer", "line_dynamic"),
    "trainer_line_max": Peer("trainer", "line_max", once=True),
    "trainer_pad_max": Peer("trainer", "pad_max"),
    "trainer_pad_max_bs8": Peer("trainer", "pad_max", batch_size=8, once=True),
    "trainer_dynamic": Peer("trainer", "dynamic", once=True),
    "trainer_by_length": Peer("trainer", "by_length"),
    "lightning_group": Peer("lightning", "group"),
    "lightning_line": Peer("lightning", "line_dynamic"),
    "lightning_pad_max": Peer("lightning", "pad_max", once=True),
}


@dataclass(frozen=True)
class Configuration:
    """One comparison. peers: each with the least ratio that is wanted, or None where it is only shown.

    matrix_share: the least share of the machine's rate of matrix products that is wanted. texts: of fine-tuning,
    `short` or `medium`. systems: ours; `ours_dropout` is compared like `ours`, with the goals of `dropout_goals`.
    """

    name: str
    objective: str
    architecture: str
    tokenizer: str
    max_seq_length: int
    batch_size: int
    size: str = "mini"
    texts: str = ""
    peers: dict[str, float | None] = field(default_factory=dict)
    matrix_share: float | None = 0.6
    dropout_goals: dict[str, float] = field(default_factory=dict)

    @property
    def steps_factor(self) -> int:
        """Batches of short texts are soon done, and more of them even out the lengths."""
        return 4 if self.texts else 1

    @property
    def ours(self) -> tuple[str, ...]:
        """Our systems."""
        return ("ours", "ours_dropout") if self.dropout_goals else ("ours",)

    def flops(self, context: float, vocab_size: int) -> float:
        """Training FLOPs of a token in rows of `context` tokens; not for encoder-decoders."""
        return _FLOPS[self.objective](self.network(vocab_size), context)

    def network(self, vocab_size: int) -> Network:
        """The dimensions of the network."""
        size = SIZES[self.size]
        gated = self.architecture == "t5"
        width = size.intermediate_size * 2 // 3 if gated else size.intermediate_size
        return Network(size.num_layers, size.hidden_size, width, vocab_size, gated)


_FLOPS = {
    "masked_lm": training_flops.masked_lm,
    "causal_lm": training_flops.causal_lm,
    "sequence_classification": training_flops.classification,
}
ENCODER_DECODERS = ("span_corruption", "denoising")
VOCABULARIES = {"wordpiece": 30_522, "bpe": 16_384}
_MASKED = ("masked_lm", "bert", "wordpiece")
_CLASSES = ("sequence_classification", "bert", "wordpiece")
CONFIGURATIONS = {
    one.name: one
    for one in (
        Configuration(
            "mlm_4x256", *_MASKED, 128, 32,
            peers={"trainer_group": 3.2, "trainer_line_dynamic": 4.2, "lightning_line": 4.2, "lightning_group": None,
                   "trainer_group_bs8": None, "trainer_line_max": None},
            dropout_goals={"trainer_group": 2.4},
        ),
        Configuration(
            "mlm_6x384", *_MASKED, 128, 32, "small",
            peers={"trainer_group": 1.9, "trainer_line_dynamic": 2.8, "lightning_line": 3.5}, matrix_share=0.65,
        ),
        Configuration(
            "mlm_4x256_s512", *_MASKED, 512, 8, peers={"trainer_group": 3.0, "trainer_line_dynamic": None}
        ),
        Configuration(
            "clm_4x256", "causal_lm", "gpt2", "bpe", 256, 8, peers={"trainer_group": 1.45, "lightning_group": None}
        ),
        Configuration("span_corruption_4x256", "span_corruption", "t5", "bpe", 128, 32),
        Configuration("denoising_4x256", "denoising", "bart", "bpe", 128, 32),
        Configuration(
            "finetune_short", *_CLASSES, 128, 32, texts="short", matrix_share=None,
            peers={"trainer_pad_max": 6.5, "trainer_by_length": 1.6, "trainer_pad_max_bs8": None,
                   "trainer_dynamic": None, "lightning_pad_max": None},
        ),
        Configuration(
            "finetune_medium", *_CLASSES, 128, 32, texts="medium", matrix_share=None,
            peers={"trainer_pad_max": 2.5, "trainer_by_length": None, "trainer_dynamic": None,
                   "lightning_pad_max": None},
        ),
    )
}  # fmt: skip

"""What the network answers at a validation: the right texts, the same pages on every run, nothing of a terminal."""

from __future__ import annotations

import re
import signal

import pytest
import torch

from lmforge.tokenization.tokenizer import MASK, SEP, load_tokenizer
from lmforge.training.building import build_model
from lmforge.training.mixing import TrainingData
from lmforge.training.program import _module
from lmforge.training.samples import Samples, _told, first_piece, named_tokenizer, samples_path
from models.objectives.masked_lm import IGNORED

CPU = torch.device("cpu")
KINDS = [
    ("masked_lm", "bert"),
    ("next_sentence", "bert"),
    ("replaced_token_detection", "electra"),
    ("causal_lm", "llama"),
    ("span_corruption", "t5"),
    ("denoising", "bart"),
]


def page(spec, step: int = 300) -> str:
    torch.manual_seed(0)
    data = TrainingData(spec)
    module = _module(spec, build_model(spec), data.objective).eval()
    Samples(spec, data.validation()).write(step, module)
    return samples_path(spec, step).read_text(encoding="utf-8")


@pytest.mark.parametrize(("objective", "architecture"), KINDS)
def test_a_page_is_a_function_of_weights_seed_and_step(make_spec, objective, architecture):
    made = {name: page(make_spec(name, objective=objective, architecture=architecture)) for name in ("a", "b")}
    assert made["a"].replace("# a:", "# b:") == made["b"]
    head, _, about, _, *blocks = made["a"].splitlines()
    assert head == "# a: samples after step 300"
    assert about.endswith(".")
    assert blocks
    assert all(line.startswith("    ") or not line for line in blocks), "Markdown reads no markup in indented text"


def test_hidden_tokens_are_shown_with_five_answers(make_spec):
    spec = make_spec()
    lines = page(spec).splitlines()
    (piece,) = (first_piece(next(iter(TrainingData(spec).validation())), 0, CPU, writes=False) for _ in range(1))
    tokenizer = load_tokenizer(spec.tokenizer)
    end = next(number for number, line in enumerate(lines) if line.startswith("    place"))
    text = " ".join(" ".join(lines[4:end]).split())
    assert text == "text " + tokenizer.decode(piece.ids.tolist(), skip_special_tokens=False)
    assert "[MASK]" in text
    place = int((piece.labels != IGNORED).nonzero()[0, 0])
    wanted = tokenizer.decode([int(piece.labels[place])])
    assert lines[end].split()[:3] == ["place", str(place), wanted]
    shares = [float(one) for one in lines[end].split()[4::2]]
    assert len(shares) == 5
    assert shares == sorted(shares, reverse=True)


def test_drawn_texts_change_with_the_step_and_probable_ones_do_not(make_spec):
    spec = make_spec(objective="causal_lm", architecture="gpt2", eval_every_n_steps=500)
    # Folded lines put together again.
    first, second = (re.sub(r"\n {15}(?=\S)", " ", page(spec, step)).splitlines() for step in (1, 2))
    differ = {one.split()[0] for one, other in zip(first[1:], second[1:], strict=True) if one != other}
    assert differ == {"drawn"}
    assert sum(line.startswith("    beginning") for line in first) == 4


def test_as_many_examples_as_a_validation_interval_pays_for(make_spec):
    short, long = (
        page(make_spec(f"every-{every}", objective="causal_lm", architecture="gpt2", eval_every_n_steps=every))
        for every in (1, 500)
    )
    assert (short.count("beginning"), long.count("beginning")) == (1, 4)


def test_a_row_of_several_texts_shows_its_first(make_spec):
    batch = {
        "input_ids": torch.tensor([[2, 9, MASK, SEP, 2, 8, SEP, 0]]),
        "labels": torch.tensor([[IGNORED, IGNORED, 7, IGNORED, IGNORED, 8, IGNORED, IGNORED]]),
        "segments": torch.tensor([[1, 1, 1, 1, 2, 2, 2, 0]]),
    }
    piece = first_piece(batch, 0, CPU, writes=False)
    assert piece.ids.tolist() == [2, 9, MASK, SEP]
    assert piece.labels.tolist() == [IGNORED, IGNORED, 7, IGNORED]
    whole = {"input_ids": torch.tensor([[9, 8, 0]]), "attention_mask": torch.tensor([[1, 1, 0]]),
             "labels": torch.tensor([[5, 6, 7, IGNORED]])}  # fmt: skip
    piece = first_piece(whole, 0, CPU, writes=True)
    assert (piece.ids.tolist(), piece.labels.tolist()) == ([9, 8], [5, 6, 7])


def test_sentinels_have_names(make_spec):
    spec = make_spec(objective="span_corruption", architecture="t5")
    tokenizer = named_tokenizer(spec.settings, spec.tokenizer)
    first = load_tokenizer(spec.tokenizer).get_vocab_size()
    assert tokenizer.decode([first, first + 1], skip_special_tokens=False).split() == ["<extra_id_0>", "<extra_id_1>"]
    assert "<extra_id_0>" in page(spec)


def test_text_is_escaped_cut_and_left_out_where_it_is_private():
    lines = _told("drawn", "a \x1b[31m" + "b" * 700)
    assert lines[0].startswith("drawn      a")
    assert "\\x1b[31mbbb" in "".join(lines)
    assert lines[-1].endswith("...")
    assert max(map(len, lines)) <= 76
    assert sum(map(len, lines)) < 900
    for text in ("write to bob.miller@example.org", "write to bob. miller @ example. org"):
        assert _told("drawn", text) == ["drawn      (not shown: it holds personal data or a secret)"]


def test_fine_tuning_has_no_samples(make_spec):
    spec = make_spec(objective="sequence_classification")
    Samples(spec, []).write(5, torch.nn.Linear(1, 1))
    assert not spec.samples.exists()


@pytest.mark.parametrize(("objective", "architecture"), [("masked_lm", "modernbert"), ("causal_lm", "gpt2")])
def test_a_resumed_run_leaves_the_pages_of_a_whole_one(make_spec, program, objective, architecture):
    runs = {}
    for name in ("whole", "parts"):
        spec = make_spec(name, objective=objective, architecture=architecture).model_copy(update={"name": "run"})
        runs[name] = program(spec)
    assert runs["whole"].run() == 0
    assert runs["parts"].run(stop_at=9, number=signal.SIGTERM) == 143
    assert runs["parts"].run() == 0
    pages = [{path.name: path.read_bytes() for path in one.spec.samples.iterdir()} for one in runs.values()]
    assert sorted(pages[0]) == [f"step-{step:09d}.md" for step in (7, 14, 21, 24)]
    assert pages[0] == pages[1]
    assert len(set(pages[0].values())) == 4, "the network learns"

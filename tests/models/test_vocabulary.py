"""Training the used rows of an embedding alone gives the weights that training the whole table gives."""

import copy

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from models.architectures import SIZES, Special, build_config, classifier
from models.lightning_module import clip, decayed_names, parameter_groups
from models.objectives.sequence_classification import Example, SequenceClassification
from models.vocabulary import UsedEmbedding, restore_whole_table, train_used_rows

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=200)
TEXTS = [[2, 7, 9, 9, 3], [2, 50, 7, 3], [2, 120, 3]]
USED = [0, 2, 3, 7, 9, 50, 120]


def build(architecture):
    torch.manual_seed(0)
    config = build_config(architecture, "nano", SPECIAL, max_positions=32, dropout=0.0)
    return classifier(["a", "b"], config=config)


def rows(texts):
    return [Example(np.array(text), index % 2) for index, text in enumerate(texts)]


def trained(model, steps=4):
    objective = SequenceClassification(pad=0)
    decayed, others = parameter_groups(model, decayed_names(model))
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-2, fused=True)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        objective.loss(model, objective.collate(rows(TEXTS))).backward()
        clip(optimizer, 0.5)
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("by_rows", [False, True])
@pytest.mark.parametrize("architecture", ["bert", "modernbert", "gpt2", "llama"])
def test_weights_and_answers_are_those_of_the_whole_table(architecture, by_rows, tmp_path):
    whole = build(architecture)
    part = copy.deepcopy(whole)
    first = whole.get_input_embeddings().weight.detach().clone()
    assert train_used_rows(part, np.array(USED), by_rows=by_rows)
    trained(whole), trained(part)
    # A text of the validation may hold a token that training never saw.
    batch = SequenceClassification(pad=0).collate(rows([[2, 7, 150, 199, 3], [2, 3]]))
    with torch.inference_mode():
        expected = whole(**batch).logits
        torch.testing.assert_close(part(**batch).logits, expected, atol=1e-5, rtol=1e-4)
        restore_whole_table(part)
        torch.testing.assert_close(part(**batch).logits, expected, atol=1e-5, rtol=1e-4)
    table = part.get_input_embeddings()
    assert type(table) is torch.nn.Embedding
    assert table.padding_idx == whole.get_input_embeddings().padding_idx
    unused = [number for number in range(SPECIAL.vocab_size) if number not in USED]
    assert torch.equal(table.weight[unused], first[unused])
    assert not torch.equal(table.weight[USED], first[USED])
    for (name, one), other in zip(whole.state_dict().items(), part.state_dict().values(), strict=True):
        torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-4, msg=name)
    part.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert torch.equal(again(**batch).logits, part(**batch).logits)


def test_checkpoints_hold_the_trained_rows_only():
    model = build("bert")
    train_used_rows(model, np.array(USED))
    tables = {name: tuple(one.shape) for name, one in model.state_dict().items() if "word_embeddings" in name}
    assert tables == {"bert.embeddings.word_embeddings.weight": (len(USED), SIZES["nano"].hidden_size)}


def test_gradient_of_a_batch_holds_nothing_of_the_last_one_also_in_parts_and_when_it_was_not_finite():
    whole = torch.nn.Embedding(6, 4, padding_idx=0)
    kept, made = (UsedEmbedding(whole, torch.tensor([0, 1, 3, 5]), by_rows=by_rows) for by_rows in (True, False))
    optimizer = torch.optim.SGD(kept.parameters())
    for parts, factor in (([[1, 3, 3], [3, 0]], 1.0), ([[5]], float("nan")), ([[0, 1]], 1.0), ([[5, 5]], 50.0)):
        for embedding in (kept, made):
            embedding.zero_grad()
            for ids in parts:
                (factor * embedding(torch.tensor(ids)).square().sum()).backward()
        torch.testing.assert_close(kept.weight.grad, made.weight.grad, equal_nan=True)
        clip(optimizer, 1.0)


def test_token_that_training_must_not_hold_fails_in_training():
    embedding = UsedEmbedding(torch.nn.Embedding(10, 4), torch.tensor([1, 2]))
    with pytest.raises(IndexError):
        embedding(torch.tensor([3]))


def test_table_that_is_shared_or_nearly_all_used_stays_whole():
    for architecture, ids in (("t5", USED), ("bart", USED), ("bert", range(190))):
        model = build(architecture)
        assert not train_used_rows(model, np.array(ids))
        assert not isinstance(model.get_input_embeddings(), UsedEmbedding)
        restore_whole_table(model)

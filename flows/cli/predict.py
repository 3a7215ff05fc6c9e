"""`lmforge predict`: ask a released model."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.common import Json, emit
from lmforge.home import Home


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(predict)


def predict(
    model: Annotated[
        str, typer.Argument(help="NAME (its champion), NAME@ALIAS, NAME/VERSION, models:/..., or a directory.")
    ],
    texts: Annotated[list[str], typer.Argument(help="One or more texts.")],
    json: Json = False,
) -> None:
    """Example: lmforge predict quickstart-section "A fast and small web server"

    Label texts with a registered model, or one in a directory.
    """
    from tasks.serving import load_classifier

    home = Home.find().prepare()
    uri, classifier = load_classifier(home, model)
    answers = classifier.predict(texts)
    rows = [{"text": text, **answer._asdict()} for text, answer in zip(texts, answers, strict=True)]

    def words() -> None:
        for answer in answers:
            print(f"{answer.label}  {answer.probability:.3f}")

    emit({"model": uri, "predictions": rows}, json, words)

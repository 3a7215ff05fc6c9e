"""What the documentation tells people to type exists."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from flows.cli.main import app
from lmforge.recipe import load_recipe

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.S)
    for line in block.splitlines()
    if line.strip()
]


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("lmforge ")])
def test_verbs_and_options_of_the_readme_exist(command):
    verbs = typer.main.get_command(app).commands
    _, verb, *arguments = shlex.split(command)
    options = {option for parameter in verbs[verb].params for option in parameter.opts}
    assert {one for one in arguments if one.startswith("--")} <= options


def test_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {line.split()[1] for line in COMMANDS if line.startswith("make ")}
    assert {"run", "test", "check"} <= named <= targets


def test_overrides_of_the_readme_fit_the_quickstart():
    overrides = re.findall(r"recipes/quickstart\.yaml.*?--set (\S+)", README)
    assert overrides
    for override in overrides:
        load_recipe(ROOT / "recipes" / "quickstart.yaml", [override])


def test_recipe_of_the_readme_is_valid(tmp_path):
    (recipe,) = re.findall(r"```yaml\n(.*?)```", README, re.S)
    (tmp_path / "readme.yaml").write_text(recipe)
    assert load_recipe(tmp_path / "readme.yaml").name == "reviews"


def test_files_that_the_documentation_links_to_exist():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"

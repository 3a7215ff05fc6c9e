"""Rules of the repository: layers, names, licences of what is loaded, and that nothing leaves the machine."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "tasks", "expectations", "lmforge", "models")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def run(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | settings
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_names_resolve_into_the_repository(package):
    # All but lmforge are also names of distributions on the package index.
    origin = importlib.util.find_spec(package).origin
    assert Path(origin).parent == ROOT / package


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["lint-imports"]],
    ids=["lint", "format", "layers"],
)
def test_style_and_layers(command):
    answer = run(str(Path(sys.executable).parent / command[0]), *command[1:])
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_constraints_are_complete_and_installed():
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"
    )
    canonical = {re.sub(r"[-_.]+", "-", name).lower(): number for name, number in pins.items()}
    # Not those that setuptools carries within itself, and shows once it is imported.
    own = distributions(path=[sysconfig.get_path("purelib")])
    installed = {re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one.version.split("+")[0] for one in own}
    assert "lmforge" in installed
    # A CUDA build of torch brings its own libraries, which it pins itself.
    ignored = re.compile(r"^(lmforge|pip|setuptools|wheel|nvidia-.*|cuda-.*|triton)$")
    wrong = {name: (number, canonical.get(name)) for name, number in installed.items() if not ignored.match(name)}
    wrong = {name: pair for name, pair in wrong.items() if pair[0] != pair[1]}
    assert not wrong, f"installed and pinned versions differ: {wrong}"


def test_pins_exclude_what_does_not_work_together():
    text = (ROOT / "constraints.txt").read_text()
    fastapi = tuple(map(int, re.search(r"^fastapi==(\d+)\.(\d+)", text, re.M).groups()))
    sqlalchemy = tuple(map(int, re.search(r"^SQLAlchemy==(\d+)\.(\d+)", text, re.M).groups()))
    assert (0, 139) <= fastapi < (0, 151)
    assert sqlalchemy < (2, 1)
    assert not re.search(r"^lightning==", text, re.M), "pytorch-lightning is the one we use"


def test_declared_dependencies_cover_what_is_imported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["fast"], *extras["dask"], *extras["ray"]]
    names = {re.split(r"[\[<>=]", one)[0].lower() for one in declared}
    distribution_of = {"sklearn": "scikit-learn", "ruamel": "ruamel.yaml", "great_expectations": "great-expectations"}
    distribution_of |= {"pytorch_lightning": "pytorch-lightning", "stdnum": "python-stdnum"}
    distribution_of |= {name.replace("-", "_"): name for name in names if "-" in name}
    imported: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                imported.add(node.module.split(".")[0])
    foreign = {one for one in imported if one not in PACKAGES and one not in sys.stdlib_module_names}
    # click comes with typer, pydantic_core with pydantic.
    missing = {one for one in foreign if distribution_of.get(one, one).lower() not in names} - {
        "click",
        "pydantic_core",
    }
    assert not missing, f"imported but not declared in pyproject.toml: {missing}"


def test_models_are_only_loaded_from_local_directories():
    calls = [
        (path.relative_to(ROOT), node.lineno, {keyword.arg for keyword in node.keywords})
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "from_pretrained"
    ]
    assert calls
    remote = [call for call in calls if "local_files_only" not in call[2]]
    assert not remote, f"from_pretrained without local_files_only=True: {remote}"


def test_command_line_starts_without_heavy_imports():
    answer = run(sys.executable, "-X", "importtime", "-c", "import flows.cli.main")
    assert answer.returncode == 0, answer.stderr
    loaded = {line.rsplit("|", 1)[-1].strip() for line in answer.stderr.splitlines()}
    heavy = {"torch", "mlflow", "prefect", "transformers", "polars", "great_expectations", "scipy", "datasets"}
    assert not heavy & loaded


def test_flows_load_without_the_libraries_of_the_stages():
    answer = run(sys.executable, "-X", "importtime", "-c", "import flows.pipeline, flows.prepare, flows.pretrain")
    assert answer.returncode == 0, answer.stderr
    loaded = {line.rsplit("|", 1)[-1].strip() for line in answer.stderr.splitlines()}
    assert not {"torch", "mlflow", "transformers", "great_expectations"} & loaded


def test_deployments_name_flows_and_take_their_parameters():
    config = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    assert {one["name"] for one in config["deployments"]} >= {"nightly"}
    for one in config["deployments"]:
        module, name = one["entrypoint"].rsplit(".", 1)
        flow = getattr(importlib.import_module(module), name)
        # What waits for a person is started with the version that it asks about.
        given = dict.fromkeys(("model", "version", "gate"), "1") if one["name"] == "person" else one["parameters"]
        flow.validate_parameters(given)
        assert one["concurrency_limit"]["limit"] == 1, "single flight"
        for schedule in one["schedules"]:
            assert schedule["timezone"], "a cron without a time zone moves with the server"


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.name)
def test_recipes_are_valid_and_name_files_that_exist(recipe):
    answer = run(sys.executable, "-m", "flows.cli", "validate", str(recipe), "--json")
    assert answer.returncode == 0, answer.stderr


def test_every_verb_has_help_with_an_example_and_json():
    import typer

    from flows.cli.main import app

    def leaves(command, name):
        inner = getattr(command, "commands", {})
        return [leaf for part, one in inner.items() for leaf in leaves(one, f"{name} {part}")] or [(name, command)]

    verbs = typer.main.get_command(app).commands
    wanted = {"run", "plan", "validate", "runs", "compare", "predict", "up", "down", "status", "doctor", "schema"}
    assert wanted <= verbs.keys()
    for name, verb in verbs.items():
        assert verb.help.startswith(f"Example: lmforge {name}"), name
        for path, leaf in leaves(verb, name):
            assert leaf.help.startswith(f"Example: lmforge {path}"), path
            assert "--json" in {option for parameter in leaf.params for option in parameter.opts}, path

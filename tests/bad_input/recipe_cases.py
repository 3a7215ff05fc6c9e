"""Recipes that are refused: the lines that are added to a good one, and what the message says."""

from __future__ import annotations

from typing import NamedTuple


class RecipeCase(NamedTuple):
    """`text` replaces the whole recipe where it has a name of its own, else it is added to a good one."""

    row: str
    name: str
    text: str
    says: str

    @property
    def id(self) -> str:
        return f"{self.row}: {self.name}"


GOOD = "name: good\ncorpus:\n  sources: [{kind: files, path: a.txt}]\n"
ANCHORS = "a: &a [x, x, x]\n" + "".join(
    f"{two}: &{two} [*{one}, *{one}]\n" for one, two in zip("abcdefgh", "bcdefghi", strict=True)
)


def steps(value: str, key: str = "max_steps") -> str:
    return f"pretraining: {{{key}: {value}}}\n"


CASES = [
    RecipeCase("keys", "a near miss", steps("1", "learning_rte"),
               r"bad\.yaml:4: .*learning_rte.*did you mean learning_rate"),
    RecipeCase("keys", "unknown", "frobnicate: 1\n", r"bad\.yaml:4: frobnicate: unknown key"),
    RecipeCase("keys", "twice", "seed: 1\nseed: 2\n", r"bad\.yaml:5: .*seed"),
    RecipeCase("keys", "a wrong type", steps("many"), r"bad\.yaml:4: pretraining\.max_steps"),
    RecipeCase("keys", "a number as text", steps("'100'"), r"bad\.yaml:4: pretraining\.max_steps"),
    RecipeCase("keys", "many at once", "seeed: 1\nmodle: 2\n" + steps("-1"),
               r"bad\.yaml:4: .*\n.*bad\.yaml:5: .*\n.*bad\.yaml:6: "),
    RecipeCase("keys", "contradictory", "pretraining: {max_steps: 10, warmup_steps: 20}\n",
               "warmup_steps 20 must be below max_steps 10"),
    RecipeCase("keys", "an unknown kind of source", "name: a\ncorpus: {sources: [{kind: fiels, path: a.txt}]}\n",
               "fiels.*files"),
    RecipeCase("bomb", "aliases of aliases", ANCHORS, "anchors|aliases"),
    RecipeCase("bomb", "an anchor in itself", "a: &a [*a]\n", "anchors|aliases"),
    RecipeCase("bomb", "100,000 levels", "a: " + "[" * 100_000 + "\n", "nested more than 32 levels"),
    RecipeCase("bomb", "more than a megabyte", "#" * (1 << 20) + "\n", "larger than 1048576 bytes"),
    RecipeCase("bomb", "a tag that makes an object", "a: !!python/object/apply:os.system [id]\n", "tag"),
    RecipeCase("expansion", "of the environment", "name: ${oc.env:HOME}\n", r"name.*\$\{oc\.env:HOME\}"),
    RecipeCase("expansion", "of a command", "name: $(id)\n", r"name.*\$\(id\)"),
    RecipeCase("expansion", "of a template", "name: '{{ 7 * 7 }}'\n", r"name.*7 \* 7"),
    RecipeCase("range", "no steps", steps("0"), r"pretraining\.max_steps.*0"),
    RecipeCase("range", "negative", steps("-5"), r"pretraining\.max_steps.*-5"),
    RecipeCase("range", "NaN", steps(".nan", "learning_rate"), r"pretraining\.learning_rate"),
    RecipeCase("range", "infinite", steps(".inf", "gradient_clip_norm"), r"pretraining\.gradient_clip_norm"),
    RecipeCase("range", "huge", steps("1e300", "learning_rate"), r"pretraining\.learning_rate"),
    RecipeCase("range", "warm-up of all steps", "pretraining: {max_steps: 10, warmup_steps: 10}\n",
               "must be below max_steps 10"),
    RecipeCase("range", "shares of more than one", "corpus: {validation_share: 1.5}\n", "validation_share|corpus"),
]  # fmt: skip

PATHS = {
    "upwards": ("../secret.txt", "leads to .* outside of the project"),
    "upwards in between": ("data/../../secret.txt", "outside of the project"),
    "absolute": ("/etc/passwd", "outside of the project"),
    "home": ("~/secret.txt", "starts with ~, which is not expanded"),
    "a URL": ("file:///etc/passwd", "is a URL"),
    "a share": ("\\\\server\\share", "Windows or network path"),
    "two slashes": ("//server/share", "Windows or network path"),
    "a variable": ("$HOME/secret.txt", r"no file matches '\$HOME/secret.txt'"),
    "a control character": ("a\x1b[31m.txt", "control character"),
    "a NUL": ("a\x00.txt", "control character"),
}

# For recipes, tasks and so for experiments, runs and registered models: all take their names from there.
NAMES = [
    "", " ", ".", "..", "a/b", "a:b", "a.b", "a%2Fb", "a b", "a@champion", "a\\b", "-a", "_a", "a\nb", "a\x00b",
    "a\x1b[31m", "x'; DROP TABLE runs; --", "\U0001f600", "p\u0430ypal", "a\u202eb", "a" * 64, "a" * 1_000_000,
    "$(id)", "{{a}}", "*", "con|a",
]  # fmt: skip

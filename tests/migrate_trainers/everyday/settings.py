"""How a program holds its settings: as literals, on its command line, in a class, in a dictionary…"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from program_places import Draw

VALUES = {"lr": "1e-3", "epochs": "3", "width": "16", "batch_size": "4", "name": "'digits'", "workers": "2"}
_TYPES = {"lr": "float", "name": "str"}
_ADDED = "".join(
    f"parser.add_argument('--{key.replace('_', '-')}', type={_TYPES.get(key, 'int')}, default={value})\n"
    for key, value in VALUES.items()
)
_DEEP = "".join(f"    {line}\n" for line in _ADDED.splitlines())
_PARSED = f"""\
def parse_args(argv=None):
    parser = argparse.ArgumentParser(description='Train it.')
{_DEEP}    parser.add_argument("--smoke-test", action="store_true", help='a short run')
    return parser.parse_args(argv)
"""
_FIELDS = "".join(f"    {key}: {_TYPES.get(key, 'int')} = {value}\n" for key, value in VALUES.items())
_DISPLAY = "".join(f"    '{key}': {value},\n" for key, value in VALUES.items())
_KEYWORDS = ", ".join(f"{key}={value}" for key, value in VALUES.items())
_JSON = ", ".join(f'"{key}": {value}'.replace("'", '"') for key, value in VALUES.items())


@dataclass(frozen=True)
class Settings:
    """Statements for the top of a module and for where the settings are used, and how each is read there.

    `item` has `{key}`, `{KEY}`, `{value}` and `{type}`; `holder` is the variable that has them all, if there is one.
    """

    top: str
    local: str
    item: str
    holder: str = ""

    def read(self, text: str, holder: str = "") -> str:
        """A text in which `$key` stands for settings, as a program writes it; they may be in another holder."""
        item = self.item.replace(self.holder, holder, 1) if holder else self.item
        values = {
            key: item.format(key=key, KEY=key.upper(), value=value, type=_TYPES.get(key, "int"))
            for key, value in VALUES.items()
        }
        return Template(text).substitute(values)


WAYS = (
    Settings("", "", "{value}"),
    Settings("".join(f"{key.upper()} = {value}\n" for key, value in VALUES.items()), "", "{KEY}"),
    Settings("".join(f"{key.upper()}: {_TYPES.get(key, 'int')} = {value}  # {key}\n" for key, value in VALUES.items()),
             "", "{KEY}"),
    Settings(_PARSED, "args = parse_args()\n", "args.{key}", "args"),
    Settings(_PARSED, "opts = vars(parse_args([]))\n", "opts['{key}']", "opts"),
    Settings("", f"parser = argparse.ArgumentParser()\n{_ADDED}args, _ = parser.parse_known_args()\n", "args.{key}",
             "args"),
    Settings(f"@dataclass\nclass Settings:\n    '''What is trained.'''\n\n{_FIELDS}", "cfg = Settings()\n",
             "cfg.{key}", "cfg"),
    Settings(f"@dataclass(frozen=True)\nclass Settings:\n{_FIELDS}\n    @property\n    def total(self) -> int:\n"
             "        return self.epochs * self.batch_size\n",
             "cfg: Settings = replace(Settings(), lr=0.5)\n", "cfg.{key}", "cfg"),
    Settings(f"class Settings(NamedTuple):\n{_FIELDS}", "settings = Settings(lr=0.1)\n", "settings.{key}", "settings"),
    Settings(f"class Settings:\n{_FIELDS}", "", "Settings.{key}"),
    Settings("", f"hparams = {{\n{_DISPLAY}}}\n", 'hparams["{key}"]', "hparams"),
    Settings("", f"hparams = dict({_KEYWORDS})\nhparams.update(lr=0.5)\n", 'hparams["{key}"]', "hparams"),
    Settings("", "hparams = {}\n" + "".join(f"hparams['{key}'] = {value}\n" for key, value in VALUES.items()),
             "hparams['{key}']", "hparams"),
    Settings(f"DEFAULTS = {{\n{_DISPLAY}}}\n", "hparams = {**DEFAULTS, 'lr': 0.5}\n", "hparams['{key}']", "hparams"),
    Settings(f"DEFAULTS = {{\n{_DISPLAY}}}\n\n\ndef load_settings(**overrides):\n    loaded = dict(DEFAULTS)\n"
             "    loaded.update(overrides)\n    return loaded\n",
             "hparams = load_settings(lr=0.5)\n", "hparams['{key}']", "hparams"),
    Settings("", f"hparams = json.loads('{{{_JSON}}}')\n", "hparams['{key}']", "hparams"),
    Settings("", "".join(f"{key} = {_TYPES.get(key, 'int')}(os.environ.get('MY_{key.upper()}', {value}))\n"
                         for key, value in VALUES.items()), "{key}"),
    Settings("", f"ns = SimpleNamespace({_KEYWORDS})\n", "ns.{key}", "ns"),
    Settings("", "".join(f"{key} = {value}\n" for key, value in VALUES.items()), "{key}"),
    Settings("", ", ".join(VALUES) + " = " + ", ".join(VALUES.values()) + "\n", "{key}"),
    Settings("", "".join(f"if ({key} := {value}) is None:\n    raise SystemExit\n" for key, value in VALUES.items()),
             "{key}"),
)  # fmt: skip
IMPORTS = (
    "import argparse\n",
    "import json\n",
    "import os\n",
    "from dataclasses import dataclass, replace\n",
    "from types import SimpleNamespace\n",
    "from typing import NamedTuple\n",
)


def drawn(draw: Draw) -> Settings:
    return draw(st.sampled_from(WAYS))

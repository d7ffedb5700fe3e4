"""Where the statements of a program stand, what stands between them, and how oddly they are formatted."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from program_places import indented

if TYPE_CHECKING:
    from program_places import Draw

    from everyday.settings import Settings

# Statements that have nothing to do with trainers, as no formatter leaves them.
FILLERS = (
    "table = {  'a':1 ,\n       'b' :[1,2 ,\n  3] }   # odd , spacing\n",
    "def shout( x,y = 2 ):\n  return  x*y ;\n",
    'banner = """a  \n  b # no comment\n"""\n',
    "effect( 'filler' );effect(\"again\")\n",
    "assert (1,) == (1 ,), 'never'   ;\n",
    "squares = [n*n for n in range( 3 ) if n%2]\n",
    "total = 1 + \\\n    2\n",
    "# a comment of its own\n",
    "x: int = 3; y: 'str' = \"it's\"\n",
    "anything = lambda *a,**k: (a,k)\n",
    "for _unused in ( ) :\n        effect( 1 )\nelse :\n        effect( 2 )\n",
    "if (found := len('abc'))>2 : effect(found)\n",
    "print( f\"{1+1:>{ 4 }}\" , end = '' )\n",
    "pair = 'a'  'b' if True else  (\n    'c')\n",
    "class Empty : '''nothing''' ; z = 1\n",
    "try : effect('tried')\nexcept ( KeyError,ValueError ) as error : raise\n",
    "del_me = 1 ; del del_me\n",
)
HEADERS = (
    *("", "", "#!/usr/bin/env python\n", "# -*- coding: utf-8 -*-\n", '"""Trains – on all workers."""\n'),
    "# Copyright of somebody\n#\n#   all rights reserved\n\n",
    "from __future__ import annotations\n",
)
_GUARD = "if __name__ == '__main__':\n"
_TIMED = "def timed(function):\n    @wraps(function)\n    def call(*args, **kwargs):\n        effect('timed')\n" \
    "        return function(*args, **kwargs)\n    return call\n"  # fmt: skip
# Each place takes the statements that make the settings and those that use them, as deep as it wants them.
_PLACES = {
    "module": "{local}{body}",
    "guard": _GUARD + "{local1}{body1}",
    "main": "def main():\n{local1}{body1}\n\nmain()\n",
    "main and guard": "def main() -> None:\n    '''Train it.'''\n{local1}{body1}\n\n" + _GUARD + "    main()\n",
    "decorated main": f"{_TIMED}\n\n@timed\ndef main(*argv):\n{{local1}}{{body1}}\n\n{_GUARD}    main()\n",
    "nested": "def outer(flag=True):\n    def inner():\n{local2}{body2}\n    inner()\n\n\nouter()\n",
    "try": "ray.init(num_cpus=4)\ntry:\n{local1}{body1}finally:\n    ray.shutdown()\n",
    "try in main": (
        "def main():\n{local1}    ray.init()\n    try:\n{body2}    except KeyboardInterrupt:\n"
        "        effect('interrupted')\n    finally:\n        ray.shutdown()\n\n\nmain()\n"
    ),
    "block": "{local}with nullcontext() as nothing:\n{body1}",
    "condition": "{local}if $epochs > 0 and $name:\n{body1}else:\n    effect('nothing to do')\n",
    "method": "class Experiment:\n    def run(self) -> None:\n{local2}{body2}\n\nExperiment().run()\n",
    "static method": "class Experiment:\n    @staticmethod\n    def run():\n{local2}{body2}\n\nExperiment.run()\n",
    "loop": "{local}for turn in range(2):\n    effect(turn)\n{body1}",
}
# Those that are given the variable which holds the settings.
_GIVEN = {
    "argument": "def main({holder}):\n{body1}\n\n" + _GUARD + "{local1}    main({holder})\n",
    "annotated argument": "def main({holder}: 'object', *rest: int) -> None:\n{body1}\n\n{local}main({holder})\n",
    "attribute": (
        "class Experiment:\n    def __init__(self, {holder}):\n        self.{holder} = {holder}\n\n"
        "    def run(self):\n{own2}\n\n" + _GUARD + "{local1}    Experiment({holder}).run()\n"
    ),
    "loop over settings": "{local}for {holder} in [{holder}, {holder}]:\n{body1}",
}
_PARAMETERS = "lr, epochs, width, batch_size, name, workers"
# Those in which the settings are parameters.
_CALLED = {
    "parameters": f"def train_once({_PARAMETERS}=2):\n{{body1}}\n\n"
    "{local}train_once($lr, $epochs, $width, $batch_size, $name)\n",
    "keyword parameters": (
        f"def train_once(*, {_PARAMETERS}):\n{{body1}}\n\n{{local}}train_once(lr=$lr, epochs=$epochs, width=$width, "
        "batch_size=$batch_size, name=$name, workers=$workers)\n"
    ),
    "loop over a setting": f"def train_once({_PARAMETERS}, **ignored):\n{{body1}}\n\n{{local}}for lr in (0.1, 0.2):\n"
    "    train_once(lr, $epochs, $width, $batch_size, name=f'{{lr}}-' + str($name), workers=2, more=None)\n",
}  # fmt: skip


def placed(draw: Draw, settings: Settings, body: str, *, loops: bool) -> str:
    """Statements in which `$key` stands for a setting, in a place: perhaps in a loop."""
    known = settings.holder and settings.local
    kinds = [_PLACES, _PLACES, _CALLED, *([_GIVEN] if known else [])]
    kind = draw(st.sampled_from(kinds))
    place = kind[draw(st.sampled_from([name for name in sorted(kind) if loops or "loop" not in name]))]
    local = settings.local
    if kind is _CALLED:
        for key in ("lr", "epochs", "width", "batch_size", "name", "workers"):
            body = body.replace(f"${key}", key)
    own = settings.read(body, f"self.{settings.holder}") if known else body
    texts = {"local": local, "body": body, "own": own}
    deep = {f"{key}{level}": indent(text, "    " * level) for key, text in texts.items() for level in (1, 2)}
    return settings.read(place.format(**texts, **deep, holder=settings.holder))


def filled(draw: Draw, statements: list[str]) -> str:
    """Statements one after the other, some with others between that have nothing to do with them."""
    fillers = draw(st.lists(st.sampled_from(("", "", *FILLERS)), min_size=len(statements), max_size=len(statements)))
    return "".join(f"{filler}{one}" for filler, one in zip(fillers, statements, strict=True))


def formatted(draw: Draw, text: str) -> str:
    """A text with one of the usual indentations, blank lines where nobody wants them, and comments behind lines."""
    return indented(draw, text)

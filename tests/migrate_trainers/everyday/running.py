"""What the trainers have in common: configurations of a run, what is fitted and how, and what becomes of the result."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from program_places import Draw

    from everyday.files import Parts

_HOMES = ("ray.air", "ray.air.config", "ray.train")
_SCALING = (
    "ScalingConfig(num_workers=$workers)",
    "ScalingConfig(num_workers=2, use_gpu=True)",
    "ScalingConfig( num_workers = $workers,use_gpu = False )",
    "ScalingConfig(num_workers=$workers, resources_per_worker={'CPU': 1})",
    "ScalingConfig(\n    num_workers=int($workers),  # how many\n    use_gpu=bool(os.environ.get('GPU')),\n)",
)
_RUNS = (
    "",
    "",
    "RunConfig(name=$name)",
    "RunConfig(name=f'''run-{$name}''', storage_path='/tmp/results')",
    "RunConfig(failure_config=FailureConfig(max_failures=1))",
    "RunConfig(\n    name='run',  # its folder\n    checkpoint_config=CheckpointConfig(num_to_keep=2),\n)",
    "RunConfig(checkpoint_config=CheckpointConfig(num_to_keep=1, checkpoint_score_attribute='loss', "
    "checkpoint_score_order='min'))",
    "RunConfig(name='long' if $epochs > 2 else 'short', verbose=1)",
)
# How a trainer is fitted: `call` makes it.
_FITS = (
    "trainer = {call}\nresult = trainer.fit()\n",
    "trainer = {call}\nresult = trainer.fit()\nprint(f'done: {{result.metrics}}')\n",
    "result = {call}.fit()\neffect(result.metrics['loss'])\n",
    "{call}.fit()\n",
    "trainer = {call}\n\n# now train\ntrainer.fit()  # this takes long\n",
    "trainer = {call}\ntry:\n    result = trainer.fit()\nfinally:\n    effect('over')\n",
    "trainer = {call}\nif (result := trainer.fit()).error is None:\n    effect(result.checkpoint.path)\n",
    "trainer = {call}\neffect('made')\nresult = trainer.fit()\nprint(result.metrics.get('loss'), result.path)\n",
    "def fitted(one):\n    return one.fit()\n\nresult = fitted({call})\nprint(result)\n",
    "trainers = {{'only': {call}}}\nfor key, one in trainers.items():\n    effect(key)\n    one.fit()\n",
    "def make_it() -> 'object':\n    return {call}\n\nmake_it().fit()\n",
    "trainer = None\nif $epochs > 0:\n    trainer = {call}\nif trainer is not None:\n    result = trainer.fit()\n",
    "first = {call}\nfirst.fit()\nsecond = {call}\nsecond.fit()\n",
    "with nullcontext():\n    trainer = {call}\n    trainer.fit()\n",
    "trainer, label = {call}, 'label'\nmetrics = trainer.fit().metrics\neffect(label)\n",
)
IMPORTS = (
    "import ray\n",
    "from contextlib import nullcontext\n",
    "from functools import wraps\n",
    "from project import args as project_args, effect\n",
)


def air_imports(draw: Draw) -> tuple[str, ...]:
    home = draw(st.sampled_from(_HOMES))
    names = ("CheckpointConfig", "FailureConfig", "RunConfig", "ScalingConfig")
    return tuple(f"from {home} import {name}\n" for name in names)


_RESUMED = "result = {call}.fit()\nagain = {resumed}\nagain.fit()\n"
# How a class is imported, and called then.
_STYLES = (
    *(("from {home} import {name}\n", "{name}"),) * 4,
    ("from {home} import {name} as Ray{name}\n", "Ray{name}"),
    ("import {home}\n", "{home}.{name}"),
    ("import {home} as ray_{last}\n", "ray_{last}.{name}"),
    ("from {package} import {last} as from_ray\n", "from_ray.{name}"),
    ("from {home} import (\n    {name},\n)\n", "{name}"),
    ("from {home} import {name}  # of Ray\n", "{name}"),
)


def called_by_ray(draw: Draw, parts: Parts, home: str, *names: str) -> Parts:
    """The parts with imports of a module's classes in one of the usual ways, by which the code names them."""
    statement, called = draw(st.sampled_from(_STYLES))
    package, _, last = home.rpartition(".")
    imports = []
    for name in names:
        given = {"home": home, "package": package, "last": last, "name": name}
        imports.append(statement.format(**given))
        way = called.format(**given)
        parts = replace(
            parts,
            definitions=tuple(re.sub(rf"\b{name}\b", way, one) for one in parts.definitions),
            main=re.sub(rf"\b{name}\b", way, parts.main),
        )
    return replace(parts, imports=(*dict.fromkeys(imports), *parts.imports))


def run_arguments(draw: Draw, *, runs: bool = True) -> tuple[list[str], list[str]]:
    """Statements that make configurations, and the arguments of a trainer that give them."""
    statements, arguments = [], []
    chosen = [("scaling_config", draw(st.sampled_from(_SCALING)))]
    chosen += [("run_config", draw(st.sampled_from(_RUNS)))] if runs else []
    for name, value in chosen:
        if not value:
            continue
        if draw(st.integers(0, 2)):
            arguments.append(f"{name}={value}")
        else:
            variable = draw(st.sampled_from((name, f"{name[0]}_c", "conf_" + name[:3])))
            statements.append(f"{variable} = {value}\n")
            arguments.append(f"{name}={variable}")
    return statements, arguments


def called(draw: Draw, name: str, arguments: list[str]) -> str:
    """A call in one line or several, in one of the usual formats."""
    style = draw(st.sampled_from(("one line", "lines", "hanging", "odd")))
    if style == "lines" or any("#" in argument for argument in arguments):
        return f"{name}(\n" + "".join(f"    {line}\n" for line in ",\n".join(arguments).splitlines()) + ")"
    if style == "hanging":
        return f"{name}({arguments[0]},\n        " + ", ".join(arguments[1:]) + ")"
    if style == "odd":
        return f"{name}( {' ,'.join(arguments)} )"
    return f"{name}({', '.join(arguments)})"


def fitted(draw: Draw, call: str, readers: tuple[str, ...], *, resumes: bool = True) -> str:
    """Statements that fit what a call makes, perhaps again, or with one of those that read the `result`."""
    resumed = f"{call.removesuffix(')').rstrip()}, resume_from_checkpoint=result.checkpoint)"
    text = draw(st.sampled_from((*_FITS, _RESUMED) if resumes else _FITS)).format(call=call, resumed=resumed)
    is_read = "result = " in text and "if " not in text and draw(st.booleans())
    return text + (draw(st.sampled_from(readers)) if is_read else "")

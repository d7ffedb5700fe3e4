"""`trainer_init_per_worker` is kept, and called by a new train function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.transformers.site import TrainFunction
from migrate_trainers.writing.mover import ValueMover
from migrate_trainers.writing.render import free_name, names_in

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.transformers.site import TransformersSite
    from migrate_trainers.rules.transformers.training import Training


def wrap(rewrite: Rewrite, site: TransformersSite, training: Training) -> TrainFunction:
    """A train function that calls the user's, for before the trainer's statement; raises `Refusal`."""
    program = rewrite.program
    place = site.site.statement
    if program.enclosing(site.site.call, (cst.Lambda, cst.BaseComp)) is not None:
        raise Refusal("MT201", site.site.call, "the trainer is made inside an expression")
    indent = program.indent(place)
    used = names_in(site.init.value)
    config = free_name(used, "config", "train_loop_config")
    rewrite.imports.reserve(config)
    mover = ValueMover(program, place, None, (), lambda hint: rewrite.new_name(hint), config)
    mover.take(site.init.value, place, "trainer_init_per_worker")
    if program.loop_around(place) is not None and mover.hoisted:
        raise Refusal("MT201", site.init, "it is another function in each turn of a loop")
    body = indent + program.module.default_indent
    function = mover.in_worker(site.init.value, body)
    trainer = free_name(used, "trainer", "hf_trainer")
    callback, definitions = training.callback(place)
    name = rewrite.new_name("train_func")
    parameter = config if site.configured else ""
    extra = f", **{config}" if site.takes_config else ""
    resume = site.resume(config)
    lines = [f"{trainer} = {function}({site.datasets.train}, {site.datasets.evaluation}{extra})"]
    if resume is not None:
        lines.insert(0, f"resume_from_checkpoint = {resume}")
        resume = "resume_from_checkpoint"
    lines += training.lines(trainer, callback, used, resume)
    text = f"def {name}({parameter}):\n" + "\n".join(f"{body}{line}" for line in lines)
    return TrainFunction(name, (*definitions, text), tuple(mover.hoisted.get(place, [])))

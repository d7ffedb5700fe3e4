"""`trainer_init_per_worker` becomes the train function where it stands, in the form of the official guides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.transformers.site import TrainFunction
from migrate_trainers.writing.placement import at_top, definition, leading_comments_start
from migrate_trainers.writing.render import free_name, names_in

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.transformers.datasets import DatasetArguments
    from migrate_trainers.rules.transformers.init_function import InitFunction
    from migrate_trainers.rules.transformers.site import TransformersSite
    from migrate_trainers.rules.transformers.training import Training


def convert_in_place(
    rewrite: Rewrite, site: TransformersSite, function: InitFunction, training: Training
) -> TrainFunction:
    """Turn the function into the train function."""
    program, node = rewrite.program, function.node
    callback, definitions = training.callback(node)
    if definitions:
        rewrite.edits += definition(program, node, definitions)
    name = rewrite.new_name("train_func")
    used = names_in(node.body)
    config = function.config or "config"
    parameter = config if config in used or site.configured else ""
    start = program.span(node.name)[0]
    end = program.source.buffer.index(b":", _signature_end(program, node))
    rewrite.edits.append(Edit(start, end, f"{name}({parameter})"))
    body = program.indent(program.statement(node.body.body[0]))
    rewrite.edits += _dataset_lines(program, function, site.datasets, body, used)
    value = function.last.value
    assert value is not None
    trainer = value.value if isinstance(value, cst.Name) else free_name(used, "trainer", "hf_trainer")
    resume = site.resume(config)
    if resume is not None and config in used:
        # Before the function hands the configuration on.
        rewrite.edits.append(at_top(program, node, [f"resume_from_checkpoint = {resume}"]))
        resume = "resume_from_checkpoint"
    lines = training.lines(trainer, callback, used, resume)
    last_start, last_end = program.span(function.last)
    if isinstance(value, cst.Name):
        rewrite.edits.append(Edit(last_start, last_end, f"\n{body}".join(lines)))
    else:
        value_start = program.outer_span(value)[0]
        line_end = program.source.line_end(last_end)
        rewrite.edits.append(Edit(last_start, value_start, f"{trainer} = "))
        ends = program.source.buffer[:line_end].endswith((b"\n", b"\r"))
        text = "".join(f"{body}{line}\n" for line in lines)
        rewrite.edits.append(Edit(line_end, line_end, text if ends else "\n" + text.rstrip("\n")))
    return TrainFunction(name)


def _signature_end(program: Program, node: cst.FunctionDef) -> int:
    """Offset behind everything of the header that may hold a colon of its own."""
    ends = [program.span(node.name)[1]]
    parameters = [*node.params.posonly_params, *node.params.params, *node.params.kwonly_params]
    ends += [program.span(parameter)[1] for parameter in parameters]
    for parameter in (node.params.star_arg, node.params.star_kwarg):
        if isinstance(parameter, cst.Param):
            ends.append(program.span(parameter)[1])
    if node.returns is not None:
        ends.append(program.span(node.returns)[1])
    return max(ends)


def _dataset_lines(
    program: Program, function: InitFunction, datasets: DatasetArguments, body: str, used: set[str]
) -> list[Edit]:
    """The dataset parameters are bound where they are read."""
    given = zip(function.datasets, (datasets.train, datasets.evaluation), strict=True)
    lines = [
        f"{body}{name} = {value}\n"
        for name, value in given
        if name in used and not _binds_first(program, function.node, name)
    ]
    if not lines:
        return []
    statements = [
        statement
        for statement in function.node.body.body
        if not (
            isinstance(statement, cst.SimpleStatementLine)
            and isinstance(statement.body[0], cst.Expr)
            and isinstance(statement.body[0].value, cst.SimpleString | cst.ConcatenatedString)
        )
    ]
    place = leading_comments_start(program, statements[0])  # type: ignore[arg-type]
    return [Edit(place, place, "".join(lines))]


def _binds_first(program: Program, node: cst.FunctionDef, name: str) -> bool:
    """Whether the function's own statements assign a parameter before anything reads it."""
    reads = [
        program.span(read)[0] for read in program.names if read.value == name and program.contains(node.body, read)
    ]
    assigned = [
        program.span(binding.node)[1]
        for binding in program.scope(node.body).bindings.get(name, ())
        if isinstance(binding.node, cst.Assign) and program.block(program.statement(binding.node)) is node.body
    ]
    # What the first assignment itself reads comes before it.
    return not reads or (bool(assigned) and min(reads) > min(assigned))

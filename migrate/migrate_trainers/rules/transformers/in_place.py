"""`trainer_init_per_worker` becomes the train function where it stands, in the form of the official guides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.transformers.signature import config_name, is_read, parameter_lines, read_datasets
from migrate_trainers.rules.transformers.site import TrainFunction
from migrate_trainers.writing.placement import at_top, definition
from migrate_trainers.writing.render import free_name, names_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite
    from migrate_trainers.rules.transformers.init_function import InitFunction
    from migrate_trainers.rules.transformers.site import TransformersSite
    from migrate_trainers.rules.transformers.training import Training


def convert_in_place(
    rewrite: Rewrite, sites: Sequence[TransformersSite], function: InitFunction, training: Training
) -> TrainFunction:
    """Turn the function into the train function of some trainers, which need the same one."""
    program, node, signature = rewrite.program, function.node, function.signature
    datasets = read_datasets(program, signature, node.body, sites[0].datasets).at(rewrite, node)
    callback, definitions = training.callback(node)
    definitions = [*datasets.definitions, *definitions]
    if definitions:
        rewrite.edits += definition(program, node, definitions)
    name = rewrite.new_name("train_func")
    # One with a configuration says best what the function is given.
    site = next((site for site in sites if site.takes_config), sites[0])
    config = config_name(program, signature, node.body)
    reads_config = is_read(program, node.body, config)
    indent = program.indent(program.statement(node.body.body[0]))
    used = names_in(node.body) | {config}
    first = parameter_lines(program, signature, node.body, site, datasets, config, indent)
    resume = site.resume(config)
    if resume is not None and reads_config:
        # Before the body reads its configuration.
        taken = free_name(used, "resume_from_checkpoint")
        first.insert(0, f"{taken} = {resume}")
        resume = taken
    start = program.span(node.name)[0]
    end = program.source.buffer.index(b":", _signature_end(program, node))
    rewrite.edits.append(Edit(start, end, f"{name}({config if reads_config or site.configured else ''})"))
    if first:
        rewrite.edits.append(at_top(program, node, first))
    variable = _returned_variable(program, function)
    if variable is not None:
        comments = [program.text(one) for one in program.comments if program.contains(function.returns[0], one)]
        lines = [*comments, *training.lines(variable, callback, used, resume, datasets.reader)]
        rewrite.edits.append(Edit(*program.span(function.returns[0]), f"\n{indent}".join(lines)))
    else:
        trainer = free_name(used, "trainer", "hf_trainer")
        rewrite.edits += _assignments(program, function.returns, trainer)
        rewrite.edits.append(
            _last_lines(program, node, training.lines(trainer, callback, used, resume, datasets.reader), indent)
        )
    return TrainFunction(name, node)


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


def _returned_variable(program: Program, function: InitFunction) -> str | None:
    """The variable of the function that its own last statement returns, which may be bound again there."""
    value = function.returns[0].value
    own = program.scope(function.node.body)
    is_last = program.block(program.statement(function.returns[0])) is function.node.body
    if not is_last or not isinstance(value, cst.Name):
        return None
    return value.value if any(binding.scope is own for binding in program.bindings(value)) else None


def _assignments(program: Program, returns: Sequence[cst.Return], name: str) -> list[Edit]:
    """Let `return`s assign a variable instead."""
    edits = []
    for one in returns:
        assert one.value is not None
        edits.append(Edit(program.span(one)[0], program.outer_span(one.value)[0], f"{name} = "))
    return edits


def _last_lines(program: Program, node: cst.FunctionDef, lines: Sequence[str], indent: str) -> Edit:
    """Put lines at the end of a function, behind the comments on and below its last line."""
    source = program.source
    end = source.line_end(_end(program, node.body))
    while (line := source.slice(end, source.line_end(end))).startswith(indent) and line.lstrip().startswith("#"):
        end = source.line_end(end)
    has_line_end = source.buffer[:end].endswith((b"\n", b"\r"))
    text = "".join(f"{indent}{line}\n" for line in lines)
    return Edit(end, end, text if has_line_end else "\n" + text.rstrip("\n"))


def _end(program: Program, node: cst.CSTNode) -> int:
    """Offset just past the last statement of a block, without the comments below it."""
    if isinstance(node, cst.SimpleStatementLine):
        return program.span(node.body[-1])[1]
    return max((_end(program, child) for child in node.children if _holds_statements(child)), default=0)


def _holds_statements(node: cst.CSTNode) -> bool:
    return isinstance(
        node,
        cst.BaseSuite | cst.BaseStatement | cst.Else | cst.Finally | cst.ExceptHandler,
    )

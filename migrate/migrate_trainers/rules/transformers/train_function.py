"""TransformersTrainer: the function that made the `transformers.Trainer` becomes, or is called by, a train function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.trainer_call import (
    function_argument,
    is_absent,
    may_resume,
    refuse_datasets,
    refuse_unsupported,
    rename_trainer,
    trainer_arguments,
    warn_of_continuation,
)
from migrate_trainers.rules.transformers.init_function import check_parameters, convertible_function
from migrate_trainers.rules.transformers.training import Training
from migrate_trainers.rules.transformers.training_arguments import (
    adapt_training_arguments,
    reports_only_at_saves,
    training_arguments,
)
from migrate_trainers.writing.mover import ValueMover
from migrate_trainers.writing.placement import definition, leading_comments_start
from migrate_trainers.writing.render import free_name, names_in

if TYPE_CHECKING:
    from migrate_trainers.rules.rewrite import CallSite, Rewrite
    from migrate_trainers.rules.transformers.init_function import InitFunction

_OWN_ARGUMENTS = ("trainer_init_per_worker", "trainer_init_config")


class TrainFunction:
    """The train function of one call site."""

    def __init__(self, rewrite: Rewrite, site: CallSite) -> None:
        self.rewrite = rewrite
        self.program = rewrite.program
        self.site = site
        self.arguments = trainer_arguments(site, _OWN_ARGUMENTS)
        refuse_datasets(rewrite, site, self.arguments, "MT202", "datasets", "dataset_config")
        refuse_unsupported(rewrite, site, self.arguments)
        if "trainer_init_per_worker" not in self.arguments:
            raise Refusal("MT106", site.call, "it has no `trainer_init_per_worker`")
        self.init = self.arguments["trainer_init_per_worker"]
        check_parameters(self.program, self.init)
        self.calls = training_arguments(self.program)
        self.training = Training(
            rewrite,
            guide_form=reports_only_at_saves(self.program, self.calls),
            resumes=may_resume(rewrite, self.arguments),
        )

    def write(self) -> None:
        rewrite = self.rewrite
        function = convertible_function(self.program, self.init.value)
        adapt_training_arguments(rewrite, self.init, self.calls, guide_form=self.training.guide_form)
        if self.training.resumes:
            warn_of_continuation(rewrite, self.arguments)
        given = (
            None if is_absent(self.arguments, "resume_from_checkpoint") else self.arguments["resume_from_checkpoint"]
        )
        if given is not None and not rewrite.settings.strict_target:
            given = None
        if function is not None:
            self._convert(function, given)
        else:
            self._wrap(given)
        rename_trainer(rewrite, self.site)

    # The function becomes the train function

    def _convert(self, function: InitFunction, given: cst.Arg | None) -> None:
        program, rewrite = self.program, self.rewrite
        node = function.node
        callback, definitions = self.training.callback(node)
        if definitions:
            rewrite.edits += definition(program, node, definitions)
        name = rewrite.new_name("train_func")
        used = names_in(node.body)
        config = function.config or "config"
        needs_config = config in used or "trainer_init_config" in self.arguments or given is not None
        start = program.span(node.name)[0]
        end = program.source.buffer.index(b":", self._signature_end(node))
        rewrite.edits.append(Edit(start, end, f"{name}({config if needs_config else ''})"))
        body = program.indent(program.statement(node.body.body[0]))
        rewrite.edits += self._dataset_lines(function, body, used)
        value = function.last.value
        assert value is not None
        trainer = value.value if isinstance(value, cst.Name) else free_name(used, "trainer", "hf_trainer")
        lines = self.training.lines(trainer, callback, used, self._config_with_resume(config, given))
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
        self._write_call(name, given)

    def _signature_end(self, node: cst.FunctionDef) -> int:
        """Offset behind everything of the header that may hold a colon of its own."""
        program = self.program
        ends = [program.span(node.name)[1]]
        parameters = [*node.params.posonly_params, *node.params.params, *node.params.kwonly_params]
        ends += [program.span(parameter)[1] for parameter in parameters]
        for parameter in (node.params.star_arg, node.params.star_kwarg):
            if isinstance(parameter, cst.Param):
                ends.append(program.span(parameter)[1])
        if node.returns is not None:
            ends.append(program.span(node.returns)[1])
        return max(ends)

    def _dataset_lines(self, function: InitFunction, body: str, used: set[str]) -> list[Edit]:
        """The dataset parameters were None without Ray Data: where they are read, they are bound so."""
        names = [name for name in function.datasets if name in used and not self._binds_first(function.node, name)]
        if not names:
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
        place = leading_comments_start(self.program, statements[0])  # type: ignore[arg-type]
        text = "".join(f"{body}{name} = None\n" for name in names)
        return [Edit(place, place, text)]

    def _binds_first(self, node: cst.FunctionDef, name: str) -> bool:
        """Whether the function's own statements assign a parameter before anything reads it."""
        program = self.program
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

    # The function is kept, and called

    def _wrap(self, given: cst.Arg | None) -> None:
        program, rewrite, site = self.program, self.rewrite, self.site
        place = site.statement
        if program.enclosing(site.call, (cst.Lambda, cst.BaseComp)) is not None:
            raise Refusal("MT201", site.call, "the trainer is made inside an expression")
        indent = program.indent(place)
        used = names_in(self.init.value)
        config = free_name(used, "config", "train_loop_config")
        rewrite.imports.reserve(config)
        mover = ValueMover(program, place, None, (), lambda hint: rewrite.new_name(hint), config)
        mover.take(self.init.value, place, "trainer_init_per_worker")
        if program.loop_around(place) is not None and mover.hoisted:
            raise Refusal("MT201", self.init, "it is another function in each turn of a loop")
        body = indent + self.program.module.default_indent
        has_config = "trainer_init_config" in self.arguments
        function = mover.in_worker(self.init.value, body)
        trainer = free_name(used, "trainer", "hf_trainer")
        callback, definitions = self.training.callback(place)
        name = rewrite.new_name("train_func")
        parameter = config if has_config or given is not None else ""
        extra = f", **{config}" if has_config else ""
        resume = self._config_with_resume(config, given)
        lines = [f"{trainer} = {function}(None, None{extra})"]
        if resume is not None:
            lines.insert(0, f"resume_from_checkpoint = {resume}")
            resume = "resume_from_checkpoint"
        lines += self.training.lines(trainer, callback, used, resume)
        text = f"def {name}({parameter}):\n" + "\n".join(f"{body}{line}" for line in lines)
        rewrite.edits += definition(program, place, [*definitions, text], lines=mover.hoisted.get(place, []))
        self._write_call(name, given)

    # Both

    def _config_with_resume(self, config: str, given: cst.Arg | None) -> str | None:
        """How the train function takes the given checkpoint out of its configuration."""
        return None if given is None else f'{config}.pop("resume_from_checkpoint")'

    def _write_call(self, name: str, given: cst.Arg | None) -> None:
        edits = self.rewrite.arguments_of(self.site.call)
        own = self.arguments.get("trainer_init_config")
        config = {}
        if given is not None:
            config["resume_from_checkpoint"] = self.program.outer_text(given.value)
            edits.remove(given)
        if own is not None and given is not None:
            item = f'"resume_from_checkpoint": {config.popitem()[1]}'
            edits.replace(own, f"train_loop_config={{**({self.program.outer_text(own.value)}), {item}}}")
        elif own is not None:
            edits.rename(own, "train_loop_config")
        function_argument(self.rewrite, self.site, self.init, name, config)

"""TransformersTrainer: the function that made the `transformers.Trainer` becomes, or is called by, a train function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading.scopes import own_returns
from migrate_trainers.reading.source import Edit
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.checkpoints.removed import is_checkpoint
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
from migrate_trainers.writing import templates
from migrate_trainers.writing.mover import ValueMover
from migrate_trainers.writing.placement import definition, leading_comments_start
from migrate_trainers.writing.render import free_name, names_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.rewrite import CallSite, Rewrite

_OWN_ARGUMENTS = ("trainer_init_per_worker", "trainer_init_config")
_TRAINING_ARGUMENTS = frozenset(
    {
        f"{module}.{name}"
        for module in ("transformers", "transformers.training_args", "transformers.training_args_seq2seq")
        for name in ("TrainingArguments", "Seq2SeqTrainingArguments")
    }
)
# `train_dataset`, `eval_dataset` and the configuration.
_FEWEST_PARAMETERS = 3
_STRATEGIES = ("evaluation_strategy", "eval_strategy")
# Keys that transformers logs after the last save: only a report at the end has them.
_LAST_KEYS = frozenset(
    {"train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos"}
)
_CHECKPOINT_CONTENTS = frozenset({"as_directory", "path", "to_directory"})
_CALLBACK_NAME = "ReportOnLogCallback"
# The folder below a checkpoint in which `ray.train.huggingface.transformers.RayTrainReportCallback` puts the files.
_CHECKPOINT_FOLDER = "checkpoint"


@dataclass(frozen=True)
class _InitFunction:
    """A `trainer_init_per_worker` of this file that nothing else uses and that can become the train function.

    `config` is the name of its `**` parameter, `datasets` the names of its first two.
    """

    node: cst.FunctionDef
    config: str | None
    datasets: tuple[str, ...]
    last: cst.Return


def migrate_transformers(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's TransformersTrainers; raises `Refusal` for the first that can't be."""
    for site in sites:
        _TrainFunction(rewrite, site).write()


def _check_parameters(program: Program, init: cst.Arg) -> None:
    """Refuse a function that TransformersTrainer refused: it counted the parameters, each star as one."""
    function: cst.CSTNode = init.value
    if isinstance(function, cst.Name):
        bindings = program.bindings(function)
        function = bindings[0].node if len(bindings) == 1 else function
    if not isinstance(function, cst.FunctionDef | cst.Lambda):
        return
    parameters = function.params
    named = [*parameters.posonly_params, *parameters.params, *parameters.kwonly_params]
    stars = [star for star in (parameters.star_arg, parameters.star_kwarg) if isinstance(star, cst.Param)]
    if len(named) + len(stars) < _FEWEST_PARAMETERS:
        raise Refusal("MT201", init, "it takes fewer than three parameters, which TransformersTrainer refused")


class _TrainFunction:
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
        _check_parameters(self.program, self.init)
        self.unit = self.program.module.default_indent
        self.resumes = may_resume(rewrite, self.arguments)

    def write(self) -> None:
        rewrite = self.rewrite
        function = _init_function(self.program, self.init.value)
        self._training_arguments = list(self._find_training_arguments())
        self._uses_guide_form = self._reports_only_at_saves()
        self._adapt_training_arguments()
        if self.resumes:
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

    def _convert(self, function: _InitFunction, given: cst.Arg | None) -> None:
        program, rewrite = self.program, self.rewrite
        node = function.node
        definitions = self._read_callback(node)
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
        lines = self._training_lines(trainer, body, used, self._config_with_resume(config, given))
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

    def _dataset_lines(self, function: _InitFunction, body: str, used: set[str]) -> list[Edit]:
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
        body = indent + self.unit
        has_config = "trainer_init_config" in self.arguments
        function = mover.in_worker(self.init.value, body)
        trainer = free_name(used, "trainer", "hf_trainer")
        definitions = self._read_callback(place)
        name = rewrite.new_name("train_func")
        parameter = config if has_config or given is not None else ""
        extra = f", **{config}" if has_config else ""
        resume = self._config_with_resume(config, given)
        lines = [f"{trainer} = {function}(None, None{extra})"]
        if resume is not None:
            lines.insert(0, f"resume_from_checkpoint = {resume}")
            resume = "resume_from_checkpoint"
        lines += self._training_lines(trainer, body, used, resume)
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

    def _training_lines(self, trainer: str, body: str, used: set[str], resume: str | None) -> list[str]:
        """The lines that train: report callback, Ray's preparation, and resuming where that can happen."""
        rewrite = self.rewrite
        prepare = rewrite.class_named("ray.train.huggingface.transformers.prepare_trainer")
        lines = [f"{trainer}.add_callback({self._callback}())", f"{trainer} = {prepare}({trainer})"]
        if not self.resumes:
            return [*lines, f"{trainer}.train()"]
        checkpoint = free_name(used, "checkpoint", "ray_checkpoint")
        folder = free_name(used, "checkpoint_dir", "checkpoint_folder")
        unit = self.unit
        found = f"{rewrite.function_named('ray.train.get_checkpoint')}()"
        os = rewrite.imports.module("os") if self._uses_guide_form or resume else ""
        path = f'{os}.path.join({folder}, "{_CHECKPOINT_FOLDER}")'
        lines += [f"{checkpoint} = {found} or {resume}" if resume else f"{checkpoint} = {found}", f"if {checkpoint}:"]
        lines.append(f"{unit}with {checkpoint}.as_directory() as {folder}:")
        if resume:
            lines.append(f"{unit * 2}if {os}.path.isdir({path}):")
            lines.append(f"{unit * 3}{folder} = {path}")
            target = folder
        else:
            target = path if self._uses_guide_form else folder
        lines.append(f"{unit * 2}{trainer}.train(resume_from_checkpoint={target})")
        return [*lines, "else:", f"{unit}{trainer}.train()"]

    def _read_callback(self, place: Statement) -> list[str]:
        """Settle which callback reports; returns the class definition that it needs before a place."""
        rewrite = self.rewrite
        if self._uses_guide_form:
            self._callback = rewrite.class_named("ray.train.huggingface.transformers.RayTrainReportCallback")
            return []
        self._callback, definitions = rewrite.own_definition(
            _CALLBACK_NAME,
            place,
            lambda name: templates.TRANSFORMERS_CALLBACK.format(
                name=name,
                trainer_callback=rewrite.imports.name("transformers.TrainerCallback"),
                get_last_checkpoint=rewrite.imports.name("transformers.trainer_utils.get_last_checkpoint"),
                checkpoint_class=rewrite.class_named("ray.train.Checkpoint"),
                get_context=rewrite.function_named("ray.train.get_context"),
                report=rewrite.function_named("ray.train.report"),
                os=rewrite.imports.module("os"),
            ),
        )
        return definitions

    # TrainingArguments

    def _find_training_arguments(self) -> Iterator[cst.Call]:
        """The `TrainingArguments(...)` calls of the file."""
        for call in self.program.calls:
            if self.program.qualified_name(call.func) in _TRAINING_ARGUMENTS:
                yield call

    def _reports_only_at_saves(self) -> bool:
        """Whether Ray's callback reports when TransformersTrainer did: everything happens at the ends of epochs."""
        if len(self._training_arguments) != 1:
            return False
        call = self._training_arguments[0]
        if any(argument.star or (argument.keyword is None and index > 0) for index, argument in enumerate(call.args)):
            return False
        keywords = {argument.keyword.value: argument.value for argument in call.args if argument.keyword is not None}
        if not (
            _is_string(keywords.get("save_strategy"), "epoch") and _is_string(keywords.get("logging_strategy"), "epoch")
        ):
            return False
        if any(name in keywords and not _is_string(keywords[name], "epoch", "no") for name in _STRATEGIES):
            return False
        if any(key.encode() in self.program.source.buffer for key in _LAST_KEYS):
            return False
        # Ray's callback puts the files into a folder of the checkpoint, where the script wouldn't find them.
        return not any(
            attribute.attr.value in _CHECKPOINT_CONTENTS and is_checkpoint(self.program, attribute.value)
            for attribute in self.program.attributes
        )

    def _adapt_training_arguments(self) -> None:
        rewrite = self.rewrite
        if not self._training_arguments:
            rewrite.review("MT213", self.init, "")
        if self._uses_guide_form:
            rewrite.review("MT214", self.init, "")
        else:
            rewrite.review("MT210", self.init, "")
        for call in self._training_arguments:
            if call in rewrite.adapted:
                continue
            rewrite.adapted.add(call)
            keywords = {argument.keyword.value: argument for argument in call.args if argument.keyword is not None}
            for name in ("evaluation_strategy", "no_cuda"):
                if name in keywords:
                    rewrite.review("MT212", keywords[name], f"`{name}`")
            if "average_tokens_across_devices" not in keywords:
                rewrite.review("MT215", call.func, "")
            if "report_to" in keywords:
                if not _is_string(keywords["report_to"].value, "none") and not _is_empty_list(
                    keywords["report_to"].value
                ):
                    rewrite.review("MT211", keywords["report_to"], "")
            elif any(argument.star for argument in call.args):
                rewrite.review("MT213", call, "its keywords are only known when it runs")
            else:
                rewrite.arguments_of(call).append(lambda _: 'report_to="none"')


def _init_function(program: Program, value: cst.BaseExpression) -> _InitFunction | None:
    """The function behind `trainer_init_per_worker`, if it can become the train function in place."""
    if not isinstance(value, cst.Name):
        return None
    bindings = program.bindings(value)
    if len(bindings) != 1 or not isinstance(bindings[0].node, cst.FunctionDef):
        return None
    node = bindings[0].node
    if node.decorators or node.asynchronous is not None or len(program.uses(bindings[0])) != 1:
        return None
    parameters = node.params
    if parameters.kwonly_params or parameters.posonly_params or parameters.star_arg is not cst.MaybeSentinel.DEFAULT:
        return None
    if len(parameters.params) != 2 or not isinstance(node.body, cst.IndentedBlock):
        return None
    if any(program.contains(parameters, comment) for comment in program.comments):
        return None
    returns = own_returns(node.body)
    last = node.body.body[-1]
    if len(returns) != 1 or not isinstance(last, cst.SimpleStatementLine) or last.body[-1] is not returns[0]:
        return None
    if len(last.body) != 1 or returns[0].value is None:
        return None
    config = parameters.star_kwarg.name.value if parameters.star_kwarg is not None else None
    return _InitFunction(node, config, tuple(parameter.name.value for parameter in parameters.params), returns[0])


def _is_string(node: cst.BaseExpression | None, *values: str) -> bool:
    return isinstance(node, cst.SimpleString) and node.evaluated_value in values


def _is_empty_list(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.List) and not node.elements

"""What the train function does with the `transformers.Trainer`: report to Ray, train, and resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrate_trainers.writing import templates
from migrate_trainers.writing.pretrained_templates import CHECKPOINT_FOLDER
from migrate_trainers.writing.render import free_name

if TYPE_CHECKING:
    from migrate_trainers.reading.program import Statement
    from migrate_trainers.rules.rewrite import Rewrite

_CALLBACK_NAME = "ReportOnLogCallback"
_GUIDE_CALLBACK_NAME = "ReportWhenSavedCallback"


class Training:
    """Report, train and resume: with Ray's callback (`guide_form`), or one that reports as the legacy trainer did.

    `one_worker` says that no other worker writes the files that Ray's callback copies.
    `may_be_given` says that the checkpoint to resume from may be another program's, whose files may stand in the
    folder itself or below it; `drops_integrations` that the Trainer may have integrations which no argument in sight
    leaves out.
    """

    def __init__(
        self,
        rewrite: Rewrite,
        *,
        guide_form: bool,
        one_worker: bool,
        resumes: bool,
        may_be_given: bool,
        drops_integrations: bool,
    ) -> None:
        self.rewrite = rewrite
        self.guide_form = guide_form
        self.one_worker = one_worker
        self.resumes = resumes
        self.may_be_given = may_be_given
        self.drops_integrations = drops_integrations

    @property
    def findings(self) -> tuple[str, ...]:
        """What to say of the reports."""
        if not self.guide_form:
            return ("MT210",)
        return ("MT214", "MT218") if self._waits else ("MT214",)

    @property
    def _waits(self) -> bool:
        """Whether Ray's callback has to wait for all workers; the bundled runtime's does."""
        return self.guide_form and not self.one_worker and not self.rewrite.settings.bundled

    def callback(self, place: Statement) -> tuple[str, list[str]]:
        """The name of the callback class, and the definition that it needs before a place, if any."""
        rewrite = self.rewrite
        if self.guide_form:
            ray_callback = rewrite.class_named("ray.train.huggingface.transformers.RayTrainReportCallback")
            if not self._waits:
                return ray_callback, []
            return rewrite.own_definition(
                _GUIDE_CALLBACK_NAME,
                place,
                lambda name: templates.REPORT_WHEN_SAVED_CALLBACK.format(
                    name=name, ray_callback=ray_callback, torch=rewrite.imports.module("torch")
                ),
            )
        return rewrite.own_definition(
            _CALLBACK_NAME,
            place,
            lambda name: templates.TRANSFORMERS_CALLBACK.format(
                name=name,
                trainer_callback=rewrite.imports.name("transformers.TrainerCallback"),
                checkpoint_class=rewrite.class_named("ray.train.Checkpoint"),
                get_context=rewrite.function_named("ray.train.get_context"),
                report=rewrite.function_named("ray.train.report"),
                os=rewrite.imports.module("os"),
            ),
        )

    def lines(
        self, trainer: str, callback: str, used: set[str], resume: str | None, reader: str | None = None
    ) -> list[str]:
        """The lines that train `trainer`; `resume` is the text of the checkpoint that the user gave, if any.

        `reader` is the function that has the Trainer read its datasets, if one has to.
        """
        rewrite = self.rewrite
        prepare = rewrite.class_named("ray.train.huggingface.transformers.prepare_trainer")
        given = trainer if reader is None else f"{reader}({trainer})"
        lines = [f"{trainer}.add_callback({callback}())", f"{trainer} = {prepare}({given})"]
        if self.drops_integrations:
            lines = [*self._dropping(trainer, used), *lines]
        if not self.resumes:
            return [*lines, f"{trainer}.train()"]
        checkpoint = free_name(used, "checkpoint", "ray_checkpoint")
        folder = free_name(used, "checkpoint_dir", "checkpoint_folder")
        unit = rewrite.program.module.default_indent
        found = f"{rewrite.function_named('ray.train.get_checkpoint')}()"
        may_be_given = self.may_be_given or resume is not None
        os = rewrite.imports.module("os") if self.guide_form or may_be_given else ""
        path = f'{os}.path.join({folder}, "{CHECKPOINT_FOLDER}")'
        lines += [f"{checkpoint} = {found} or {resume}" if resume else f"{checkpoint} = {found}", f"if {checkpoint}:"]
        lines.append(f"{unit}with {checkpoint}.as_directory() as {folder}:")
        if may_be_given:
            lines.append(f"{unit * 2}if {os}.path.isdir({path}):")
            lines.append(f"{unit * 3}{folder} = {path}")
            target = folder
        else:
            target = path if self.guide_form else folder
        lines.append(f"{unit * 2}{trainer}.train(resume_from_checkpoint={target})")
        return [*lines, "else:", f"{unit}{trainer}.train()"]

    def _dropping(self, trainer: str, used: set[str]) -> list[str]:
        """Take the integrations out of a Trainer, as TransformersTrainer did."""
        of_report_to = self.rewrite.imports.name("transformers.integrations.get_reporting_integration_callbacks")
        integration = free_name(used, "integration", "integration_callback")
        return [
            f"for {integration} in {of_report_to}({trainer}.args.report_to):",
            f"{self.rewrite.program.module.default_indent}{trainer}.pop_callback({integration})",
        ]

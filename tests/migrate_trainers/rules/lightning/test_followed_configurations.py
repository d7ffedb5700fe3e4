"""Configurations that pass through functions, methods, attributes and containers: the output makes the same calls."""

from __future__ import annotations

import io
import tokenize
from collections import Counter
from textwrap import dedent

import pytest
from rewriting import LIGHTNING_IMPORTS, after, codes, findings, migrate
from worker_calls import assert_same_calls

from migrate_trainers.findings import Kind

IMPORTS = LIGHTNING_IMPORTS.replace("Net,", "Net, Other, count,")
FIT = """\
def fit(config, name=None):
    scaling_config = ScalingConfig(num_workers=2)
    return LightningTrainer(config, scaling_config=scaling_config, run_config=RunConfig(name=name)).fit()
"""
FOLLOWED = {
    "a helper with parameters": """
        def make(lr, epochs=2):
            builder = LightningConfigBuilder()
            builder.module(Net, lr=lr).fit_params(datamodule=DM())
            builder.trainer(max_epochs=epochs)
            return builder.build()
        fit(make(1))
        fit(make(2, epochs=3))
        """,
    "a helper with several returns": """
        def make(fast):
            if fast:
                return LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).trainer(max_epochs=1).build()
            builder = LightningConfigBuilder().module(Other, b=effect(2))
            builder.fit_params(datamodule=DM())
            return builder.build()
        fit(make(True))
        fit(make(False))
        """,
    "a helper that returns the builder": """
        def make(lr):
            return LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM())
        fit(make(1).build())
        fit(make(2).trainer(max_epochs=effect(3)).build())
        """,
    "a helper that fills what it is given": """
        def add_checkpointing(builder, keep):
            builder.checkpointing(monitor="loss", save_top_k=keep)
        builder = LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
        add_checkpointing(builder, 3)
        fit(builder.build())
        """,
    "helpers that return what they are given": """
        def with_trainer(builder, **kwargs):
            return builder.trainer(**kwargs)
        def with_data(builder):
            builder.fit_params(datamodule=DM())
            return builder
        fit(with_data(with_trainer(LightningConfigBuilder().module(Net), max_epochs=effect(1))).build())
        """,
    "a helper that makes a builder if it gets none": """
        def make(builder=None, lr=1):
            if builder is None:
                builder = LightningConfigBuilder().fit_params(datamodule=DM())
            return builder.module(Net, lr=lr)
        first = make()
        fit(first.build())
        fit(make(first, 2).build())
        """,
    "a nested helper": """
        def main(lr):
            def make(width):
                builder = LightningConfigBuilder().module(Net, lr=lr, width=width)
                return builder.fit_params(datamodule=DM()).build()
            for width in (1, 2):
                fit(make(width))
        main(1)
        """,
    "a lambda": """
        make = lambda lr: LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM()).build()
        fit(make(1))
        """,
    "a method": """
        class Job:
            def __init__(self, lr):
                self.lr = lr
            def _config(self, width):
                builder = LightningConfigBuilder().module(Net, lr=self.lr, width=width)
                builder.fit_params(datamodule=DM())
                return builder.build()
            def run(self):
                fit(self._config(3))
        Job(1).run()
        """,
    "a static method and a class method": """
        class Job:
            WIDTH = 3
            @staticmethod
            def module(builder, lr):
                builder.module(Net, lr=lr)
            @classmethod
            def config(cls):
                builder = LightningConfigBuilder().fit_params(datamodule=DM()).trainer(max_epochs=cls.WIDTH)
                cls.module(builder, 1)
                return builder.build()
        fit(Job.config())
        """,
    "a method of a base class": """
        class Base:
            def builder(self):
                return LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
        class Job(Base):
            def builder(self):
                return super().builder().trainer(max_epochs=1)
            def run(self):
                fit(self.builder().build())
        Job().run()
        """,
    "a builder in an attribute": """
        class Job:
            def __init__(self, lr):
                self.builder = LightningConfigBuilder()
                self.builder.module(Net, lr=lr)
            def add(self):
                self.builder.fit_params(datamodule=DM()).trainer(max_epochs=effect(2))
                return self
            def run(self):
                fit(self.builder.build())
        Job(1).add().run()
        Job(2).add().run()
        """,
    "a configuration in an attribute": """
        class Job:
            def __init__(self, lr):
                builder = LightningConfigBuilder().module(Net, lr=lr)
                self.config = builder.fit_params(datamodule=DM()).checkpointing(monitor="loss").build()
            def run(self):
                trainer = LightningTrainer(lightning_config=self.config, scaling_config=ScalingConfig(num_workers=2))
                return trainer.fit()
        Job(1).run()
        job = Job(2)
        effect(job.config is not None)
        job.run()
        """,
    "a class attribute": """
        class Job:
            CONFIG = LightningConfigBuilder().module(Net, lr=1).fit_params(datamodule=DM()).build()
            def run(self):
                fit(self.CONFIG)
        Job().run()
        fit(Job.CONFIG)
        """,
    "a property": """
        class Job:
            @property
            def config(self):
                return LightningConfigBuilder().module(Net, lr=effect(1)).fit_params(datamodule=DM()).build()
        fit(Job().config)
        """,
    "a trainer in an attribute": """
        class Job:
            def __init__(self, config):
                self.trainer = LightningTrainer(config, scaling_config=ScalingConfig(num_workers=2))
            def run(self):
                return self.trainer.fit()
        builder = LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
        Job(builder.build()).run()
        """,
    "a closure": """
        def job(lr):
            config = LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM()).build()
            def run():
                fit(config)
            return run
        job(1)()
        job(2)()
        """,
    "a configuration each in a dictionary": """
        builder_a = LightningConfigBuilder().module(Net, lr=1).fit_params(datamodule=DM())
        builder_b = LightningConfigBuilder().module(Other, lr=2).fit_params(datamodule=DM())
        configs = {"a": builder_a.build(), "b": builder_b.build()}
        for name, config in configs.items():
            LightningTrainer(
                lightning_config=config,
                scaling_config=ScalingConfig(num_workers=2),
                run_config=RunConfig(name=name),
            ).fit()
        fit(configs["b"])
        """,
    "a dictionary that grows": """
        configs = {}
        for lr in (1, 2):
            configs[lr] = LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM()).build()
        for config in configs.values():
            fit(config)
        """,
    "a list that grows": """
        jobs = []
        for lr in (1, 2):
            builder = LightningConfigBuilder().module(Net, lr=lr)
            builder.fit_params(datamodule=DM())
            jobs.append((f"lr-{lr}", builder.build()))
        for name, config in jobs:
            fit(config, name)
        """,
    "comprehensions": """
        def make(lr):
            return LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM())
        builders = {lr: make(lr) for lr in (1, 2)}
        for builder in builders.values():
            builder.trainer(max_epochs=count())
        for config in [builder.build() for builder in builders.values()]:
            fit(config)
        for index, (lr, builder) in enumerate(builders.items()):
            fit(builder.build(), f"{index}-{lr}")
        """,
    "zip, sorted and a generator": """
        def configs():
            for lr in (2, 1):
                yield lr, LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM()).build()
        for name, (lr, config) in zip("ab", configs()):
            fit(config, name)
        """,
    "shared inner dictionaries": """
        builder = LightningConfigBuilder().module(Net, lr=1).fit_params(datamodule=DM())
        configs = [builder.build()]
        builder.module(Other, lr=2)
        builder.trainer(max_epochs=3)
        configs.append(builder.build())
        for config in configs:
            fit(config)
        """,
    "shared inner dictionaries with a strategy": """
        builder = LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
        first = builder.build()
        builder.strategy("fsdp", cpu_offload=True)
        for config in (first, builder.build()):
            fit(config)
        """,
    "a builder under another name": """
        class Job:
            def __init__(self, builder):
                self.builder = builder
                self.builder = self.builder.trainer(max_epochs=effect(1))
            def run(self):
                longer = self.builder.trainer(max_epochs=effect(2))
                longer = longer.module(Net, longer=effect(longer is self.builder))
                fit(longer.build())
                return longer
        first = Job(LightningConfigBuilder().module(Net).fit_params(datamodule=DM())).run()
        other = first.trainer(precision=16)
        fit(other.build())
        """,
    "a copied builder": """
        import copy
        base = LightningConfigBuilder().module(Net, lr=1).fit_params(datamodule=DM())
        shallow, deep = copy.copy(base), copy.deepcopy(base)
        shallow.trainer(max_epochs=1)
        deep.trainer(max_epochs=2)
        deep.module(Other)
        for builder in (base, shallow, deep):
            fit(builder.build())
        """,
    "a builder per condition": """
        def make(kind):
            builder = LightningConfigBuilder()
            if kind == "a":
                builder = builder.module(Net, lr=1)
            else:
                builder = builder.module(Other, lr=2)
            return builder.fit_params(datamodule=DM())
        for kind in "ab":
            with_kind = make(kind)
            try:
                with_kind.trainer(max_epochs=effect(1))
            finally:
                fit(with_kind.build())
        """,
    "the same name for the builder and what it builds": """
        def make(lr):
            config = LightningConfigBuilder()
            config.module(Net, lr=lr)
            config.fit_params(datamodule=DM())
            config = config.build()
            return config
        fit(make(1))
        """,
    "a walrus": """
        def make():
            return LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
        if config := make():
            fit(config)
        """,
    "edited after it was built": """
        config = LightningConfigBuilder().module(Net, lr=1).fit_params(datamodule=DM()).build()
        config["_module_init_config"]["lr"] = effect(2)
        config["_trainer_init_config"].update(max_epochs=3)
        config["_trainer_init_config"]["precision"] = 16
        config["_module_class"] = Other
        fit(config)
        """,
    "edited copies": """
        import copy
        base = LightningConfigBuilder().module(Net, lr=1).fit_params(datamodule=DM()).build()
        for lr in (1, 2):
            config = copy.deepcopy(base)
            config["_module_init_config"]["lr"] = lr
            fit(config)
        fit({**base, "_module_init_config": {"lr": 3}})
        fit(dict(base))
        """,
    "written by hand": """
        config = {
            "_module_class": Net,
            "_module_init_config": {"lr": 1},  # the rate
            "_trainer_init_config": {"max_epochs": 2, "devices": 4, "num_nodes": 2, "accelerator": "auto"},
            "_trainer_fit_params": dict(datamodule=DM()),
            "_strategy_config": {},
            "_model_checkpoint_config": {"monitor": "loss", "save_top_k": 2},
        }
        fit(config)
        """,
    "written by hand from what a function takes": """
        def make(settings):
            return {
                "_module_class": Net,
                "_module_init_config": {},
                "_trainer_init_config": settings,
                "_trainer_fit_params": {"datamodule": DM()},
                "_strategy_config": {},
                "_model_checkpoint_config": {},
            }
        fit(make({"max_epochs": 1, "num_nodes": 2, "callbacks": [3]}))
        """,
    "written by hand with a strategy": """
        def make():
            return dict(
                _module_class=Net,
                _module_init_config={},
                _trainer_init_config={"max_epochs": 2},
                _trainer_fit_params={"datamodule": DM()},
                _strategy_config={},
                _model_checkpoint_config={},
            )
        config = make()
        config["_strategy_config"]["static_graph"] = True
        fit(config)
        """,
    "a strategy that is edited": """
        config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).strategy(timeout=1).build()
        config["_strategy_config"]["_strategy_name"] = "fsdp"
        config["_strategy_config"]["timeout"] = 2
        fit(config)
        config["_strategy_config"] = {"_strategy_name": "deepspeed", "stage": effect(3)}
        fit(config)
        """,
    "a strategy's name as a parameter, and a schedule": """
        def make(builder, name="fsdp"):
            builder.module(Net).strategy(name, timeout=1).fit_params(datamodule=DM())
            return builder.checkpointing(every_n_train_steps=2).build()
        fit(make(LightningConfigBuilder(), "deepspeed"))
        """,
    "a strategy's name as a parameter": """
        def make(strategy):
            return (
                LightningConfigBuilder()
                .module(Net)
                .fit_params(datamodule=DM())
                .strategy(name=strategy, timeout=1)
                .build()
            )
        fit(make("fsdp"))
        fit(make("ddp"))
        """,
    "a strategy's name in a loop": """
        for name in ("ddp", "deepspeed"):
            builder = LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
            builder.strategy(effect(name), timeout=1)
            trainer = LightningTrainer(builder.build(), scaling_config=ScalingConfig(num_workers=2))
            trainer.fit()
        """,
    "a strategy's name among other keywords": """
        def make(**strategy):
            builder = LightningConfigBuilder().module(Net)
            builder.fit_params(datamodule=DM()).strategy(**strategy)
            return builder.build()
        fit(make(name="fsdp", timeout=2))
        fit(make())
        """,
    "unpacked settings": """
        def make(module, trainer):
            builder = LightningConfigBuilder()
            builder.module(Net, **module)
            builder.trainer(max_epochs=1, **trainer)
            builder.fit_params(**{"datamodule": DM()})
            return builder.build()
        fit(make({"lr": 1}, {"num_nodes": 2, "callbacks": [1]}))
        """,
    "settings of the driver": """
        import os
        def make():
            builder = LightningConfigBuilder().module(Net, home=effect(os.getcwd())).fit_params(datamodule=DM())
            builder.trainer(max_steps=count())
            return builder.build()
        fit(make())
        fit(make())
        """,
    "imports inside the functions": """
        def make(lr):
            from ray.train.lightning import LightningConfigBuilder
            return LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM()).strategy("fsdp").build()
        def main():
            from ray.train.lightning import LightningTrainer
            LightningTrainer(make(1), scaling_config=ScalingConfig(num_workers=2)).fit()
        main()
        """,
    "a positional call of a helper": """
        def make():
            return LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
        LightningTrainer(make().build(), scaling_config=ScalingConfig(num_workers=2)).fit()
    """,
    "annotations": """
        def fill(builder: LightningConfigBuilder) -> LightningConfigBuilder:
            return builder.module(Net).fit_params(datamodule=DM())
        fit(fill(LightningConfigBuilder()).build())
        """,
    "checkpoints as the configuration says": """
        def make(keep):
            builder = LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
            return builder.checkpointing(monitor="loss", mode="max", save_top_k=keep).build()
        LightningTrainer(make(2), scaling_config=ScalingConfig(num_workers=2)).fit()
        LightningTrainer(make(-1), scaling_config=ScalingConfig(num_workers=2)).fit()
        """,
    "a checkpoint that only one resumes from": """
        from ray.air import Checkpoint
        def make(lr):
            return LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM()).build()
        first = LightningTrainer(make(1), scaling_config=ScalingConfig(num_workers=2))
        second = LightningTrainer(
            make(2),
            scaling_config=ScalingConfig(num_workers=2),
            resume_from_checkpoint=Checkpoint.from_directory("saved"),
        )
        first.fit()
        """,
    "a module-level builder that a function builds": """
        builder = LightningConfigBuilder()
        builder.module(Net).fit_params(datamodule=DM())
        def main(epochs):
            builder.trainer(max_epochs=epochs)
            fit(builder.build())
        main(1)
        main(2)
        """,
    "a global": """
        builder = None
        def prepare():
            global builder
            builder = LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
        prepare()
        fit(builder.build())
        """,
    "hooks of subclasses, on the line of their head": """
        class Base:
            def configure(self, builder): pass
            def run(self):
                builder = LightningConfigBuilder()
                builder.fit_params(datamodule=DM())
                self.configure(builder)
                fit(builder.build())
        class Wide(Base):
            def configure(self, builder):
                builder.module(Net, width=2)
        class Long(Base):
            def configure(self, builder):
                builder.module(Other); builder.trainer(max_epochs=count(), precision=count())
        Wide().run()
        Long().run()
        """,
    "statements that share a line": """
        def make(kind):
            builder = LightningConfigBuilder(); lr = 2
            builder.module(Net, lr=lr); builder.fit_params(datamodule=DM())
            if kind == "a": builder.trainer(max_epochs=1)
            match kind:
                case "b": builder.module(Other)
            return builder.build()
        fit(make("a"))
        fit(make("b"))
        """,
    "a builder that is a default": """
        def run(builder=LightningConfigBuilder().module(Net).fit_params(datamodule=DM())):
            builder.trainer(max_epochs=count())
            fit(builder.build())
        run()
        run()
        """,
    "a method called build": """
        class Job:
            def build(self):
                return LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
            def trainer(self):
                return LightningTrainer(self.build().build(), scaling_config=ScalingConfig(num_workers=2))
        Job().trainer().fit()
        """,
    "star-args and keywords": """
        def make(lr):
            return LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM()).build()
        def fit_all(*configs, **named):
            for config in configs:
                fit(config)
            for name, config in named.items():
                fit(config, name)
        fit_all(make(1), make(2), a=make(3))
        """,
    "a queue, unpacking and two names": """
        def make(lr):
            return LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM()).build()
        queue = [make(1), make(2)]
        while queue:
            fit(queue.pop(0))
        first, second = make(3), make(4)
        fit(second)
        one = other = make(5)
        one["_module_init_config"]["width"] = 1
        fit(other)
        """,
    "an attribute of the same name elsewhere": """
        from project import args
        args.config = 5
        class Job:
            def __init__(self, args):
                self.args = args
                builder = LightningConfigBuilder().module(Net, x=self.args.config)
                self.config = builder.fit_params(datamodule=DM()).build()
        fit(Job(args).config)
        """,
    "changed after the trainer was made": """
        def make():
            return LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
        builder = make()
        trainer = LightningTrainer(builder.build(), scaling_config=ScalingConfig(num_workers=2))
        builder.trainer(max_epochs=3)
        builder.module(Other)
        trainer.fit()
        """,
    "values in the order of the calls": """
        def make():
            builder = LightningConfigBuilder()
            builder.trainer(max_epochs=count())
            builder.module(Net, lr=count())
            builder.trainer(max_steps=count())
            builder.module(Net, lr=count())
            builder.fit_params(datamodule=DM(count()))
            return builder.build()
        fit(make())
        """,
    "names that new code would like to have": """
        train_func = module_class = lightning_config = builder = "mine"
        def make(config):
            b = LightningConfigBuilder()
            b.module(Net, lr=config).fit_params(datamodule=DM()).checkpointing(monitor="x", save_top_k=config)
            return b.build()
        LightningTrainer(make(3), scaling_config=ScalingConfig(num_workers=2)).fit()
        effect([train_func, module_class, lightning_config, builder])
        """,
    "comments": """
        # makes the configuration
        def make(lr):
            # a new one
            builder = LightningConfigBuilder()  # the builder
            builder.module(  # of the net
                Net,
                lr=lr,  # as given
                # the last
            )
            builder.fit_params(datamodule=DM())  # the data
            # done
            return builder.build()  # built
        fit(make(1))  # fit it
        """,
}


def _with_head(program: str) -> str:
    imports = IMPORTS
    if "import LightningTrainer" in program:
        imports = imports.replace("from ray.train.lightning import LightningConfigBuilder, LightningTrainer\n", "")
    return imports + (FIT if "fit(" in program.replace(".fit(", "") else "") + dedent(program)


@pytest.mark.parametrize("program", FOLLOWED.values(), ids=FOLLOWED.keys())
def test_same_calls(program: str) -> None:
    program = _with_head(program)

    text = after(migrate(program))

    assert_same_calls(program, text)
    assert not migrate(text).changed
    assert not _comments(program) - _comments(text)


def _comments(text: str) -> Counter[str]:
    return Counter(
        token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    )


LEFT = {
    "a parameter that nothing here gives": (
        """
        def run(config):
            LightningTrainer(config, scaling_config=ScalingConfig(num_workers=2)).fit()
        """,
        "MT101",
    ),
    "a configuration of another module": (
        """
        from project import make_model
        fit(make_model())
        """,
        "MT101",
    ),
    "given to a function of another module": (
        """
        config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
        effect(config)
        fit(config)
        """,
        "MT103",
    ),
    "a helper that is not only called": (
        """
        def make(lr):
            return LightningConfigBuilder().module(Net, lr=lr).fit_params(datamodule=DM()).build()
        for config in map(make, (1, 2)):
            fit(config)
        fit(make(3))
        """,
        "MT102",
    ),
    "a decorated helper": (
        """
        import functools
        def logged(function):
            return functools.wraps(function)(lambda *args: function(*args))
        @logged
        def make():
            return LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
        fit(make())
        """,
        "MT101",
    ),
    "one of two things": (
        """
        config = {"lr": 1}
        if config["lr"]:
            config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
        fit(config)
        """,
        "MT102",
    ),
    "an attribute of an object that isn't known": (
        """
        class Job:
            def __init__(self):
                self.config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
        def change(job):
            job.config["_module_init_config"]["lr"] = 1
        fit(Job().config)
        """,
        "MT103",
    ),
    "an attribute by its name": (
        """
        class Job:
            def __init__(self):
                self.config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
        fit(getattr(Job(), "config"))
        fit(Job().config)
        """,
        "MT102",
    ),
    "a key that is only known when it runs": (
        """
        config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
        for key in ("_trainer_init_config",):
            config[key]["max_epochs"] = 1
        fit(config)
        """,
        "MT103",
    ),
    "a key that there is not": (
        """
        config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
        config["module_init_config"] = {}
        fit(config)
        """,
        "MT106",
    ),
    "a part that LightningTrainer would miss": (
        """
        fit({"_module_class": Net, "_module_init_config": {}, "_trainer_fit_params": {"datamodule": DM()}})
        """,
        "MT106",
    ),
    "a builder that isn't built": (
        """
        def make():
            return LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
        fit(make())
        """,
        "MT106",
    ),
    "a method that the builder hasn't": (
        """
        def make(builder):
            builder.modul(Net)
            return builder.fit_params(datamodule=DM()).build()
        fit(make(LightningConfigBuilder()))
        """,
        "MT106",
    ),
    "no class at all": (
        """
        def make(builder):
            return builder.fit_params(datamodule=DM()).build()
        fit(make(LightningConfigBuilder()))
        """,
        "MT106",
    ),
    "no data at all": (
        """
        def make(builder):
            return builder.module(Net).build()
        fit(make(LightningConfigBuilder()))
        """,
        "MT106",
    ),
    "a strategy that is passed on": (
        """
        def make(strategy):
            config = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
            config["_strategy_config"] = strategy
            return config
        fit(make({"_strategy_name": "fsdp"}))
        """,
        "MT105",
    ),
    "a strategy that there is not": (
        """
        def make(builder):
            return builder.module(Net).fit_params(datamodule=DM()).strategy("horovod").build()
        fit(make(LightningConfigBuilder()))
        """,
        "MT106",
    ),
    "positional arguments": (
        """
        def make(builder):
            return builder.module(Net).fit_params(datamodule=DM()).trainer(3).build()
        fit(make(LightningConfigBuilder()))
        """,
        "MT106",
    ),
    "filled where it may not run": (
        """
        def make(builder, fast):
            return fast and builder.module(Net).fit_params(datamodule=DM()).build()
        fit(make(LightningConfigBuilder(), True))
        """,
        "MT102",
    ),
    "filled behind another call": (
        """
        def make(builder):
            return effect(1), builder.module(Net).fit_params(datamodule=DM()).build()
        fit(make(LightningConfigBuilder())[1])
        """,
        "MT102",
    ),
    "a subclass of the builder": (
        """
        class MyBuilder(LightningConfigBuilder):
            pass
        fit(MyBuilder().module(Net).fit_params(datamodule=DM()).build())
        """,
        "MT101",
    ),
    "a dataclass": (
        """
        import dataclasses
        @dataclasses.dataclass
        class Job:
            config: dict
        fit(Job(LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()).config)
        """,
        "MT101",
    ),
    "pickled": (
        """
        import pickle
        def make():
            builder = LightningConfigBuilder().module(Net).fit_params(datamodule=DM())
            pickle.dumps(builder)
            return builder.build()
        fit(make())
        """,
        "MT103",
    ),
}


@pytest.mark.parametrize(("program", "code"), LEFT.values(), ids=LEFT.keys())
def test_left_with_a_reason(program: str, code: str) -> None:
    result = migrate(_with_head(program))

    assert not result.changed, result.after.decode()
    assert not result.has(Kind.ERROR), findings(result)
    assert code in codes(result, Kind.MANUAL), findings(result)

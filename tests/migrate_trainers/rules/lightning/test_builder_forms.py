"""The forms in which a builder is filled, and how its repeated calls merge: the output makes the same calls."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import Any

import pytest
from rewriting import LIGHTNING_IMPORTS, SCALING, after, in_function, lightning, migrate
from worker_calls import assert_same_calls

TRAINER = f"trainer = LightningTrainer(lightning_config=config, scaling_config={SCALING})\ntrainer.fit()\n"


def check(program: str) -> list[Any]:
    """The framework calls of the first worker, which are the same before and after."""
    result = migrate(program)
    recording = assert_same_calls(dedent(program), after(result))
    return [(name, *details) for name, *details in recording.fits[0]["workers"][0]]


def kwargs_of(calls: list[Any], name: str) -> Any:
    return next(details[0] for called, *details in calls if called == name)


FORMS = {
    "keywords of a dictionary with two names, one of which changes it later": """
        kwargs = other = {"lr": 1}
        config = LightningConfigBuilder().module(Net, **kwargs).fit_params(datamodule=DM()).build()
        other["lr"] = 2
        """,
    "keywords of a dictionary that another name changes later": """
        other = {"lr": 1}
        kwargs = other
        config = LightningConfigBuilder().module(Net, **kwargs).fit_params(datamodule=DM()).build()
        other["lr"] = 2
        """,
    "keywords unpacked where they are written": """
        builder = LightningConfigBuilder()
        builder.trainer(**{"max_epochs": 2, "precision": effect(16)}, **dict(logger=(effect(1), 2)))
        config = builder.module(Net, **{"lr": 1}).fit_params(**{"datamodule": DM()}).build()
        """,
    "keywords unpacked that need a dictionary": """
        first = {"max_epochs": 2}
        builder = LightningConfigBuilder()
        builder.trainer(**{**first, "precision": 16}, **{"logger": (found := effect(1))})
        config = builder.module(Net, **{"class": 1}).fit_params(datamodule=DM(), **{}).build()
        """,
    "chained in parentheses": """
        config = (
            LightningConfigBuilder()
            .module(Net, lr=1)
            .trainer(max_epochs=2)
            .fit_params(datamodule=DM())
            .build()
        )
        """,
    "chained on one line": """
        config = LightningConfigBuilder().module(Net).trainer(max_epochs=1).fit_params(datamodule=DM()).build()
        """,
    "chained with backslashes": """
        config = LightningConfigBuilder() \\
            .module(Net, \\
                    lr=1) \\
            .fit_params(datamodule=DM()) \\
            .build()
        """,
    "statement by statement": """
        builder = LightningConfigBuilder()
        builder.module(cls=Net, lr=1)
        builder.trainer(max_epochs=2)
        builder.fit_params(datamodule=DM())
        config = builder.build()
        """,
    "reassigned at each step": """
        builder = LightningConfigBuilder()
        builder = builder.module(Net)
        builder = builder.trainer(max_epochs=2).fit_params(datamodule=DM())
        config = builder.build()
        """,
    "filled in its assignment and by statements": """
        builder = LightningConfigBuilder().module(Net, lr=1)
        builder.trainer(max_epochs=2).fit_params(datamodule=DM())
        config = builder.strategy("fsdp").build()
        """,
    "annotated variable": """
        config: dict = LightningConfigBuilder().module(Net).fit_params(datamodule=DM()).build()
        """,
    "with other statements between": """
        builder = LightningConfigBuilder()
        rate = 1
        builder.module(Net, lr=rate)
        effect("between")
        rate = 2
        builder.fit_params(datamodule=DM(rate))
        config = builder.build()
        rate = 3
        """,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_form_at_module_level(form: str) -> None:
    calls = check(LIGHTNING_IMPORTS + dedent(form) + TRAINER)

    assert [name for name, *_ in calls] == ["module", "pl.Trainer", "fit", *["report"] * 3]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_form_in_a_function(form: str) -> None:
    calls = check(in_function(LIGHTNING_IMPORTS + dedent(form) + TRAINER))

    assert kwargs_of(calls, "fit") == {"datamodule": ("Data", *kwargs_of(calls, "fit")["datamodule"][1:])}


PLACES = {
    "build() in the call": "LightningTrainer(lightning_config=builder.build(), scaling_config={scaling}).fit()",
    "positional": "LightningTrainer(builder.build(), scaling_config={scaling}).fit()",
    "after the other arguments": "LightningTrainer(scaling_config={scaling}, lightning_config=builder.build()).fit()",
    "result in a walrus": "if (result := LightningTrainer(builder.build(), scaling_config={scaling}).fit()): pass",
    "passed on": "effect(LightningTrainer(builder.build(), scaling_config={scaling}).fit().error)",
    "in a tuple": "trainer, other = LightningTrainer(builder.build(), scaling_config={scaling}), 3\ntrainer.fit()",
    "in a dictionary": "all = {{'a': LightningTrainer(builder.build(), scaling_config={scaling})}}\nall['a'].fit()",
    "as an attribute": (
        "class Job: pass\nJob.trainer = LightningTrainer(builder.build(), scaling_config={scaling})\nJob.trainer.fit()"
    ),
    "annotated": "t: LightningTrainer = LightningTrainer(builder.build(), scaling_config={scaling})\nt.fit()",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_place_of_the_trainer(place: str) -> None:
    builder = "builder = LightningConfigBuilder().module(Net, lr=effect(1)).fit_params(datamodule=DM())\n"
    calls = check(LIGHTNING_IMPORTS + builder + place.format(scaling=SCALING) + "\n")

    assert len(calls) == 6


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_place_of_a_trainer_with_its_whole_builder_inside(place: str) -> None:
    inline = "LightningConfigBuilder().module(Net, lr=effect(1)).fit_params(datamodule=DM()).build()"
    program = LIGHTNING_IMPORTS + place.replace("builder.build()", inline).format(scaling=SCALING) + "\n"

    assert len(check(program)) == 6


ENCLOSED = {
    "method": "class Job:\n    def run(self):\n{body}\nJob().run()\n",
    "nested functions": "def outer():\n    def inner():\n{body}\n    inner()\nouter()\n",
    "with block": "import contextlib\nwith contextlib.nullcontext():\n    if True:\n{body}\n",
    "try block": "try:\n    if True:\n{body}\nfinally:\n    effect('done')\n",
    "main guard": "if __name__ == '__main__':\n    if True:\n{body}\n",
    "for loop": "for turn in range(2):\n    if True:\n{body}\n",
    "while loop": "turn = 0\nwhile turn < 2:\n    turn += 1\n    if True:\n{body}\n",
    "async function": "import asyncio\nasync def main():\n    if True:\n{body}\nasyncio.run(main())\n",
    "else of a loop": "for turn in ():\n    pass\nelse:\n    if True:\n{body}\n",
    "match case": "match 1:\n    case 1:\n{body}\n",
}


@pytest.mark.parametrize("enclosure", ENCLOSED.values(), ids=ENCLOSED.keys())
@pytest.mark.parametrize("form", ["chained in parentheses", "statement by statement", "with other statements between"])
def test_enclosed_in_a(enclosure: str, form: str) -> None:
    body = indent(dedent(FORMS[form]) + TRAINER, "        ")
    calls = check(LIGHTNING_IMPORTS + enclosure.format(body=body))

    assert len(calls) == 6


MERGES = {
    "trainer calls add up": (
        ".trainer(max_epochs=1).trainer(precision=16)",
        "pl.Trainer",
        {"max_epochs": 1, "precision": 16},
    ),
    "the last value of a keyword wins": (
        ".trainer(max_epochs=1, precision=16).trainer(max_epochs=2)",
        "pl.Trainer",
        {"max_epochs": 2, "precision": 16},
    ),
    "an effect that is overwritten still happens": (
        ".trainer(max_steps=effect(1)).trainer(max_steps=effect(2))",
        "pl.Trainer",
        {"max_steps": 2},
    ),
    "fit parameters add up": (".fit_params(val_dataloaders=[1])", "fit", {"val_dataloaders": [1]}),
    "a strategy's arguments outlive its name": (
        '.strategy("fsdp", timeout=1).strategy("ddp")',
        "pl.Trainer",
        {"strategy": ("RayDDPStrategy", (), {"timeout": 1}, {})},
    ),
    "a later strategy without a name is ddp": (
        '.strategy("fsdp").strategy(timeout=1)',
        "pl.Trainer",
        {"strategy": ("RayDDPStrategy", (), {"timeout": 1}, {})},
    ),
    "a strategy's name in a constant": (
        ".strategy(name=NAME)",
        "pl.Trainer",
        {"strategy": ("RayFSDPStrategy", (), {}, {})},
    ),
    "deepspeed": (
        '.strategy("deepspeed", stage=3)',
        "pl.Trainer",
        {"strategy": ("RayDeepSpeedStrategy", (), {"stage": 3}, {})},
    ),
    "callbacks are followed by the report": (
        ".trainer(callbacks=[effect(1), effect(2)])",
        "pl.Trainer",
        {"callbacks": [1, 2, "reports"]},
    ),
    "callbacks in a variable": (".trainer(callbacks=LIST)", "pl.Trainer", {"callbacks": ["x", "reports"]}),
    "no callbacks of one's own": (".trainer(callbacks=[])", "pl.Trainer", {"callbacks": ["reports"]}),
    "plugins are followed by the environment": (
        ".trainer(plugins=[effect('p')])",
        "pl.Trainer",
        {"plugins": ["p", ("RayLightningEnvironment", (), {}, {})]},
    ),
    "a cluster environment among the plugins goes": (
        ".trainer(plugins=[pl.plugins.environments.LightningEnvironment()])",
        "pl.Trainer",
        {"plugins": [("RayLightningEnvironment", (), {}, {})]},
    ),
    "what Ray decides goes": (
        '.trainer(devices=4, num_nodes=2, strategy="ddp", max_epochs=1)',
        "pl.Trainer",
        {"max_epochs": 1},
    ),
    "checkpointing can't be switched off": (".trainer(enable_checkpointing=False)", "pl.Trainer", {}),
    "an accelerator of one's own stays": ('.trainer(accelerator="tpu")', "pl.Trainer", {"accelerator": "tpu"}),
    "workers without a GPU stay on the CPU": ('.trainer(accelerator="auto")', "pl.Trainer", {"accelerator": "cpu"}),
}


@pytest.mark.parametrize(("builder", "call", "expected"), MERGES.values(), ids=MERGES.keys())
def test_merging(builder: str, call: str, expected: dict[str, object]) -> None:
    calls = check(lightning(builder, before="NAME = 'fsdp'\nLIST = ['x']\n"))

    given = kwargs_of(calls, call)
    assert {name: given[name] for name in expected} == expected


SEEN_LATER = ("use_gpu=effect(True)", "use_gpu=effect(False)", "**{'use_gpu': effect(1) > 1}")


@pytest.mark.parametrize("builder", ["", '.trainer(accelerator="auto")', ".trainer(**effect({}))"])
@pytest.mark.parametrize("use_gpu", SEEN_LATER)
def test_workers_that_may_have_no_gpu(use_gpu: str, builder: str) -> None:
    program = lightning(builder).replace("num_workers=2", f"num_workers=2, {use_gpu}")

    text = after(migrate(program))

    assert "get_device().type" in text
    assert_same_calls(program, text)
    assert "get_device" not in after(migrate(program, target_version=(2, 9))), "it hides the machine's GPUs"


def test_accelerator_that_every_branch_names() -> None:
    def program(last: str) -> str:
        return LIGHTNING_IMPORTS + (
            "builder = LightningConfigBuilder().module(Net).fit_params(datamodule=DM())\n"
            "if effect(0):\n    builder.trainer(accelerator='cpu')\n"
            "elif effect(0):\n    builder.trainer(accelerator='gpu')\n"
            f"{last}:\n    builder.trainer(accelerator='tpu')\n"
            "scaling_config = ScalingConfig(num_workers=2, use_gpu=effect(False))\n"
            "LightningTrainer(lightning_config=builder.build(), scaling_config=scaling_config).fit()\n"
        )

    assert "get_device" not in after(migrate(program("else")))
    assert "get_device().type" in after(migrate(program("elif effect(0)")))
    for last in ("else", "elif effect(0)"):
        assert_same_calls(program(last), after(migrate(program(last))))


def test_module_names_the_class_of_its_last_call() -> None:
    program = LIGHTNING_IMPORTS.replace("Net,", "Net, Other,") + (
        "config = LightningConfigBuilder().module(Net, a=1, b=effect(2)).module(Other, b=3)"
        ".fit_params(datamodule=DM()).build()\n" + TRAINER
    )

    assert check(program)[0] == ("module", ("Other", (), {"a": 1, "b": 3}, {}))


@pytest.mark.parametrize("arguments", ["cls=Net, **hyper", "Net, width=2, **hyper"], ids=["alone", "behind others"])
def test_unpacked_module_arguments(arguments: str) -> None:
    program = LIGHTNING_IMPORTS + (
        "hyper = {'lr': 1}\n"
        f"config = LightningConfigBuilder().module({arguments}).fit_params(datamodule=DM()).build()\n"
        "hyper['lr'] = 2\n" + TRAINER
    )

    assert check(program)[0][1][2]["lr"] == 1


@pytest.mark.parametrize("resumes", [False, True], ids=["without restarts", "with restarts"])
def test_unpacked_fit_arguments(resumes: bool) -> None:
    run = ", run_config=RunConfig(failure_config=FailureConfig(max_failures=2))" if resumes else ""
    program = LIGHTNING_IMPORTS.replace("Net,", "Net, loaders,") + (
        "config = LightningConfigBuilder().module(Net).fit_params(**loaders).build()\n"
        "loaders['train_dataloaders'] = 'changed'\n"
        f"LightningTrainer(config, scaling_config={SCALING}{run}).fit()\n"
    )

    assert kwargs_of(check(program), "fit") == {"train_dataloaders": "train", "val_dataloaders": "val"}


def test_several_trainers_of_one_configuration() -> None:
    program = LIGHTNING_IMPORTS + (
        "config = LightningConfigBuilder().module(Net, lr=effect(1)).fit_params(datamodule=DM()).build()\n"
        f"first = LightningTrainer(config, scaling_config={SCALING})\n"
        f"second = LightningTrainer(config, scaling_config={SCALING}, run_config=RunConfig(name='second'))\n"
        "first.fit()\nsecond.fit()\n"
    )

    text = after(migrate(program))

    assert text.count("def train_func") == 1
    assert len(assert_same_calls(program, text).fits) == 2


def test_two_trainers_of_their_own() -> None:
    program = LIGHTNING_IMPORTS + "".join(
        f"config_{number} = LightningConfigBuilder().module(Net, lr={number})"
        f".fit_params(datamodule=DM({number})).build()\n"
        f"trainer_{number} = LightningTrainer(config_{number}, scaling_config={SCALING})\n"
        for number in (1, 2)
    )

    text = after(migrate(program + "trainer_2.fit()\ntrainer_1.fit()\n"))

    assert text.count("from ray.train.lightning import") == 1
    assert_same_calls(program + "trainer_2.fit()\ntrainer_1.fit()\n", text)


@pytest.mark.parametrize(
    "clash", ["model", "trainer", "config", "checkpoint", "checkpoint_dir", "ckpt_path", "train_func"]
)
def test_the_train_functions_own_names_hide_none_of_the_users(clash: str) -> None:
    program = (
        lightning(
            f".module(Net, value={clash}).trainer(profiler={clash}).fit_params(ckpt_path={clash})",
            before=f"{clash} = 'mine'\n",
            trainer="run_config=RunConfig(failure_config=FailureConfig(max_failures=1))",
            behind=f"effect({clash} == 'mine')\n",
        )
        .replace("trainer = L", "made = L")
        .replace("trainer.fit", "made.fit")
    )

    calls = check(program)

    assert calls[0] == ("module", ("Net", (), {"value": "mine"}, {}))


@pytest.mark.parametrize("keyword", ["model", "trainer", "config", "checkpoint", "train_func", "module_class"])
def test_a_value_may_be_given_under_any_keyword(keyword: str) -> None:
    program = lightning(f".module(Net, {keyword}=effect('given'))", behind="effect('fitting')\n")

    assert check(program)[0] == ("module", ("Net", (), {keyword: "given"}, {}))


def test_a_value_under_the_keyword_config_beside_a_passed_one() -> None:
    program = lightning(
        ".module(Net, config=effect('given'), width=args.width)",
        before="from project import args\n",
        behind="args.width = 9\n",
    )

    assert check(program)[0] == ("module", ("Net", (), {"config": "given", "width": 8}, {}))

"""A Tuner around a trainer: its search space, its settings and its results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from program_places import Draw

IMPORTS = (
    "from ray import tune\n",
    "from ray.tune import TuneConfig\n",
    "from ray.tune import Tuner\n",
    "from ray.tune.schedulers import ASHAScheduler\n",
)
_CONFIGS = (
    "",
    "tune.TuneConfig(metric='loss', mode='min', num_samples=2)",
    "TuneConfig(num_samples=$epochs)",
    "tune.TuneConfig(\n    metric='loss',  # what counts\n    mode='min',\n    num_samples=2,\n)",
    "tune.TuneConfig(metric='loss', mode='min', scheduler=ASHAScheduler(max_t=10, grace_period=1))",
)
_RUNS = (
    "",
    "RunConfig(name=$name)",
    "RunConfig(name='tuned', checkpoint_config=CheckpointConfig(num_to_keep=1))",
    "RunConfig(failure_config=FailureConfig(max_failures=1))",
)
_RESULTS = (
    "tuner.fit()\n",
    "results = tuner.fit()\nprint(len(results))\n",
    "results = tuner.fit()\nbest = results.get_best_result(metric='loss', mode='min')\nprint(best.metrics['loss'])\n",
    "for number, one in enumerate(tuner.fit()):\n    effect(number)\n",
    "result_grid = tuner.fit()\neffect(len(result_grid))\n",
)
_DOMAINS = (
    "tune.choice([1, 2])",
    "tune.grid_search([$lr, 0.5])",
    "tune.uniform(0.1, 1)",
    "tune.loguniform(1e-4, 1e-1)",
    "tune.grid_search( [1,2] )",
)


def _domain(draw: Draw) -> str:
    return str(draw(st.sampled_from(_DOMAINS)))


def lightning_spaces(draw: Draw) -> tuple[list[str], str]:
    """Statements that make the search space of a LightningTrainer, and the expression that is it."""
    module = f".module(lr={_domain(draw)})"
    calls = draw(st.sampled_from((module, f"{module}.trainer(max_epochs=tune.choice([1, 2]))", f"{module}")))
    return draw(
        st.sampled_from(
            (
                ([], f"{{'lightning_config': LightningConfigBuilder(){calls}.build()}}"),
                ([f"searched = LightningConfigBuilder(){calls}.build()\n"], "{'lightning_config': searched}"),
                (
                    [f"searched = (\n    LightningConfigBuilder()\n    {calls}\n    .build()\n)\n",
                     "param_space = {\n    'lightning_config': searched,  # searched\n}\n"],
                    "param_space",
                ),
                (
                    [f"space_builder = LightningConfigBuilder()\nspace_builder{calls}\n"],
                    "{'lightning_config': space_builder.build()}",
                ),
            )
        )
    )  # fmt: skip


def config_spaces(draw: Draw, key: str) -> tuple[list[str], str]:
    """The same of a trainer whose configuration is a dictionary of some key."""
    entries = f"'lr': {_domain(draw)}, 'size': {_domain(draw)}"
    return draw(
        st.sampled_from(
            (
                ([], f"{{'{key}': {{{entries}}}}}"),
                ([f"space = {{{entries}}}\n"], f"{{'{key}': space}}"),
                ([f"param_space = {{\n    '{key}': {{{entries}}},  # searched\n}}\n"], "param_space"),
                ([], f"dict({key}={{{entries}}})"),
                ([], f"{{\n    '{key}': {{\n        'lr': {_domain(draw)},  # the rate\n    }}\n}}"),
            )
        )
    )


def tuned(draw: Draw, call: str, space: tuple[list[str], str]) -> list[str]:
    """Statements that tune what a call makes."""
    statements, searched = list(space[0]), space[1]
    if draw(st.booleans()):
        statements.append(f"trainer = {call}\n")
        call = "trainer"
    arguments = [f"param_space={searched}"]
    for name, values in (("tune_config", _CONFIGS), ("run_config", _RUNS)):
        value = draw(st.sampled_from(values))
        if value and draw(st.integers(0, 2)) == 0:
            statements.append(f"{name[:3]}_conf = {value}\n")
            value = f"{name[:3]}_conf"
        arguments += [f"{name}={value}"] if value else []
    tuner = draw(st.sampled_from(("tune.Tuner", "Tuner")))
    made = f"{tuner}(\n" + "".join(f"    {line}\n" for line in ",\n".join([call, *arguments]).splitlines()) + ")"
    if draw(st.booleans()):
        made = f"{tuner}(trainable={call}, {', '.join(arguments)})"
    return [*statements, f"tuner = {made}\n", draw(st.sampled_from(_RESULTS))]

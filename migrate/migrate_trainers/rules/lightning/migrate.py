"""LightningTrainer: each call site is read, and written in the simpler form that fits it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.builder import LightningConfig, read_config
from migrate_trainers.rules.lightning.factory import Factory, FactoryFunction, read_factory
from migrate_trainers.rules.lightning.flow import BuilderFlow, read_flow
from migrate_trainers.rules.lightning.flow_function import FlowFunction
from migrate_trainers.rules.lightning.sites import LightningSite, read_site
from migrate_trainers.rules.lightning.train_function import TrainFunction

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.rules.rewrite import CallSite, Rewrite

# Why a builder may have no single form as keywords, and yet be a sequence of updates.
_FLOW_CODES = frozenset({"MT102", "MT103", "MT104"})
# Why it may come from a function of the script.
_ELSEWHERE_CODE = "MT101"
_Configuration = LightningConfig | BuilderFlow | Factory


def migrate_lightning(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's LightningTrainers; raises `Refusal` for the first that can't be."""
    reads = [read_site(rewrite, site) for site in sites]
    straight: dict[cst.CSTNode, tuple[LightningConfig, list[LightningSite]]] = {}
    flowing: dict[cst.CSTNode, tuple[list[BuilderFlow], list[LightningSite]]] = {}
    factories: dict[cst.CSTNode, tuple[Factory, list[LightningSite]]] = {}
    for site, config in _one_form_a_builder(rewrite, reads):
        if isinstance(config, Factory):
            factories.setdefault(config.node, (config, []))[1].append(site)
        elif isinstance(config, BuilderFlow):
            flows, group = flowing.setdefault(config.key, ([], []))
            flows.append(config)
            group.append(site)
        else:
            key = config.place if config.statements else site.call_site.call
            straight.setdefault(key, (config, []))[1].append(site)
    for config, group in straight.values():
        TrainFunction(rewrite, group, config).write()
    for flows, group in flowing.values():
        FlowFunction(rewrite, group, flows).write()
    for factory, group in factories.values():
        FactoryFunction(rewrite, group, factory).write()


def _one_form_a_builder(rewrite: Rewrite, sites: list[LightningSite]) -> list[tuple[LightningSite, _Configuration]]:
    """Read the sites' configurations; a builder that one site needs as dictionaries is so for all of its sites."""
    configs = [_read(rewrite, site) for site in sites]
    keys = {config.key for config in configs if isinstance(config, BuilderFlow)}
    for index, site in enumerate(sites):
        if keys and isinstance(configs[index], LightningConfig):
            with contextlib.suppress(Refusal):
                flow = read_flow(rewrite.program, site.config, site.call_site.statement)
                if flow.key in keys:
                    configs[index] = flow
    return list(zip(sites, configs, strict=True))


def _read(rewrite: Rewrite, site: LightningSite) -> _Configuration:
    """Plain keywords where the builder is filled straight on, else dictionaries; raises `Refusal` for neither."""
    statement = site.call_site.statement
    try:
        return read_config(rewrite.program, site.config, statement)
    except Refusal as refusal:
        try:
            if refusal.code in _FLOW_CODES:
                return read_flow(rewrite.program, site.config, statement)
            if refusal.code == _ELSEWHERE_CODE:
                return read_factory(rewrite.program, site.config)
        except Refusal as other:
            if other.code not in _FLOW_CODES:
                raise refusal from None
            raise
        raise

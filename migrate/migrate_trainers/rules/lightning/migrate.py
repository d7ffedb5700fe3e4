"""LightningTrainer: each call site is read, and written in the simplest form that fits it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.data.ingest import write_ingest
from migrate_trainers.rules.lightning.builder import LightningConfig, read_config
from migrate_trainers.rules.lightning.flow import BuilderFlow, read_flow
from migrate_trainers.rules.lightning.flow_function import FlowFunction
from migrate_trainers.rules.lightning.sites import LightningSite, read_site
from migrate_trainers.rules.lightning.tracing.function import TracedFunction
from migrate_trainers.rules.lightning.tracing.possible import Else
from migrate_trainers.rules.lightning.tracing.reading import read_traced
from migrate_trainers.rules.lightning.tracing.trace import Trace
from migrate_trainers.rules.lightning.tracing.uses import Uses
from migrate_trainers.rules.lightning.train_function import TrainFunction

if TYPE_CHECKING:
    import libcst as cst

    from migrate_trainers.rules.rewrite import CallSite, Rewrite

# Why a builder may have no single form as keywords, and yet be a sequence of updates.
_FLOW_CODES = frozenset({"MT102", "MT103", "MT104", "MT105"})
# Why it may yet be followed through the file.
_TRACED_CODES = _FLOW_CODES | {"MT101"}
_Configuration = LightningConfig | BuilderFlow | Refusal


def migrate_lightning(rewrite: Rewrite, sites: list[CallSite]) -> None:
    """Rewrite the file's LightningTrainers; raises `Refusal` for the first that can't be."""
    configs = _one_form_a_builder(rewrite, [read_site(rewrite, site) for site in sites])
    traced = _traced(rewrite, configs)
    straight: dict[cst.CSTNode, tuple[LightningConfig, list[LightningSite]]] = {}
    flowing: dict[cst.CSTNode, tuple[list[BuilderFlow], list[LightningSite]]] = {}
    for site, config in configs.items():
        if traced is not None and site in traced.sites:
            continue
        if isinstance(config, Refusal):
            raise config
        if isinstance(config, BuilderFlow):
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
    if traced is not None:
        traced.write()
    for site in configs:
        if site.data is not None:
            write_ingest(rewrite, site.data)


def _one_form_a_builder(rewrite: Rewrite, sites: list[LightningSite]) -> dict[LightningSite, _Configuration]:
    """Read the sites' configurations; a builder that one site needs as dictionaries is so for all of its sites."""
    configs = {site: _read(rewrite, site) for site in sites}
    keys = {config.key for config in configs.values() if isinstance(config, BuilderFlow)}
    for site in sites:
        if keys and isinstance(configs[site], LightningConfig):
            with contextlib.suppress(Refusal):
                flow = read_flow(rewrite.program, site.config, site.call_site.statement)
                if flow.key in keys:
                    configs[site] = flow
    return configs


def _read(rewrite: Rewrite, site: LightningSite) -> _Configuration:
    """Plain keywords where the builder is filled straight on, else dictionaries, else why it is neither."""
    statement = site.call_site.statement
    try:
        return read_config(rewrite.program, site.config, statement)
    except Refusal as refusal:
        if refusal.code not in _FLOW_CODES:
            return refusal
        try:
            return read_flow(rewrite.program, site.config, statement)
        except Refusal as other:
            return other if other.code in _TRACED_CODES else refusal


def _traced(rewrite: Rewrite, configs: dict[LightningSite, _Configuration]) -> TracedFunction | None:
    """The train function of the trainers whose configurations have to be followed through the file, if any."""
    refused = {site: config for site, config in configs.items() if isinstance(config, Refusal)}
    if not refused:
        return None
    trace = Trace(rewrite.program)
    for site, refusal in refused.items():
        values = trace.of(site.config) - {Else.NONE}
        if refusal.code not in _TRACED_CODES or not values or not trace.origins_of(values):
            raise refusal
    trace.origins.together(origin for site in refused for origin in trace.origins_of(trace.of(site.config)))
    uses = Uses(trace, next(iter(refused)).config)
    sites = [site for site in configs if uses.concern(trace.of(site.config))]
    return TracedFunction(rewrite, sites, trace, read_traced(trace, uses, sites))

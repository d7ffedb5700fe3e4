"""A user's own preprocessors: current Ray's base class has an `__init__`, and goes on with what `_fit` returns.

class Cutter(Preprocessor):                              class Cutter(Preprocessor):
    def __init__(self, limit):                               def __init__(self, limit):
        self.limit = limit                                       super().__init__()
                                                                 self.limit = limit

    def _fit(self, dataset):                                 def _fit(self, dataset):
        self.stats_ = {"most": dataset.max("words")}             self.stats_ = {"most": dataset.max("words")}
                                                                 return self
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.scopes import BindingKind, own_returns
from migrate_trainers.reading.source import Edit
from migrate_trainers.rules.literals import is_none
from migrate_trainers.writing.placement import at_top, below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.rewrite import Rewrite

_OF_RAY = "ray.data.preprocessors."
_BEHIND_INIT = ("__post_init__", "__attrs_post_init__")
_INIT, _FIT, _TRANSFORM = "__init__", "_fit", "_transform"
# What `Preprocessor.transform` gives an own `_transform` beside the dataset.
_TRANSFORM_ARGUMENTS = ("batch_size", "num_cpus", "memory", "concurrency")
_NO_DICTIONARIES = (cst.List, cst.Tuple, cst.Set, cst.ListComp, cst.SetComp, cst.BaseNumber, cst.SimpleString)


def migrate_preprocessor_classes(rewrite: Rewrite) -> None:
    """Have the preprocessors that a program defines set up their base class, and return themselves when fitted."""
    if not rewrite.settings.strict_target:
        return
    for owner in _fitted_classes(rewrite.program):
        _migrate_init(rewrite, owner)
        _migrate_fit(rewrite, owner)
        _report_transform(rewrite, owner)


def bases_to_set_up(program: Program) -> Iterator[cst.Name | cst.Attribute]:
    """The classes of Ray, or of other files, from which preprocessors derive that would change."""
    for owner in _fitted_classes(program):
        init, fit = _initializer(program, owner), _method(owner, _FIT)
        lacks_init = init is not None and not _sets_up_base(program, owner, init) and not _ray_base(program, owner)[1]
        if lacks_init or (fit is not None and _loses_itself(program, fit)):
            base = _imported_base(program, owner)
            if isinstance(base, cst.Name | cst.Attribute):
                yield base


def _fitted_classes(program: Program) -> Iterator[cst.ClassDef]:
    """The preprocessors of a file that are fitted: those that say they aren't only transform."""
    for binding in program.all_bindings():
        if binding.kind is BindingKind.CLASS and isinstance(binding.node, cst.ClassDef):
            owner = binding.node
            if _preprocessor_base(program, owner) is not None and not _is_never_fitted(program, owner):
                yield owner


def _is_never_fitted(program: Program, owner: cst.ClassDef) -> bool:
    said = [node for node in _statements(owner) if isinstance(node, cst.Assign | cst.AnnAssign)]
    return any("_is_fittable" in program.text(node) and _is_false(node.value) for node in said)


def _is_false(node: cst.BaseExpression | None) -> bool:
    return isinstance(node, cst.Name) and node.value == "False"


# The class above


def _bases(owner: cst.ClassDef) -> list[cst.BaseExpression]:
    return [argument.value for argument in owner.bases if not argument.star]


def _preprocessor_base(program: Program, owner: cst.ClassDef) -> cst.BaseExpression | None:
    """The first of a class's bases that is a preprocessor."""
    return next((base for base in _bases(owner) if _is_preprocessor(program, base)), None)


def _is_preprocessor(program: Program, node: cst.BaseExpression) -> bool:
    qualified = program.qualified_name(node) or ""
    if qualified in legacy.PREPROCESSORS or qualified.startswith(_OF_RAY):
        return True
    return any(_preprocessor_base(where, one) is not None for where, one in _class_named(program, node))


def _class_named(program: Program, node: cst.BaseExpression) -> list[tuple[Program, cst.ClassDef]]:
    """The class of the tree that an expression names, and the program that defines it."""
    found = [(where, one.node) for where, one in program.definitions(node)]
    return [(where, one) for where, one in found if isinstance(one, cst.ClassDef)] if len(found) == 1 else []


def _imported_base(program: Program, owner: cst.ClassDef) -> cst.BaseExpression | None:
    """The base that a class, or one above it in the file, takes from elsewhere."""
    base = _preprocessor_base(program, owner)
    for binding in program.named(base) if base is not None else ():
        if isinstance(binding.node, cst.ClassDef):
            return _imported_base(program, binding.node)
    return base


def _ray_base(program: Program, owner: cst.ClassDef) -> tuple[str, bool]:
    """The name of Ray's class at the end of a class's preprocessors, and whether that is a preprocessor of a kind."""
    base = _preprocessor_base(program, owner)
    assert base is not None
    qualified = program.qualified_name(base) or ""
    for where, one in _class_named(program, base):
        return _ray_base(where, one)
    return qualified, qualified not in legacy.PREPROCESSORS


def _follows_directly(program: Program, owner: cst.ClassDef) -> bool:
    """Whether `super().__init__` in a class can only be that of Ray's `Preprocessor`."""
    bases = _bases(owner)
    if len(bases) != 1:
        return False
    above = _class_named(program, bases[0])
    return all(_method(one, _INIT) is None and _follows_directly(where, one) for where, one in above)


# `__init__`


def _migrate_init(rewrite: Rewrite, owner: cst.ClassDef) -> None:
    program = rewrite.program
    init = _initializer(program, owner)
    name = owner.name.value
    if init is None:
        if _gets_init(program, owner) or not _super_sets_up(program, owner):
            rewrite.review("MT130", owner.name, f"the `__init__` of `{name}` doesn't call that of `Preprocessor`")
        return
    if _sets_up_base(program, owner, init):
        return
    qualified, is_of_a_kind = _ray_base(program, owner)
    parameter = _first_parameter(init)
    if is_of_a_kind or parameter is None:
        rewrite.review("MT130", init.name, f"`{name}.{init.name.value}` doesn't call `__init__` of the base class")
        return
    if _follows_directly(program, owner):
        line = "super().__init__()"
    else:
        base = _imported_base(program, owner)
        is_here = base is not None and program.qualified_name(base) == qualified
        line = f"{program.text(base) if base and is_here else rewrite.imports.name(qualified)}.__init__({parameter})"
    body = init.body
    if isinstance(body, cst.SimpleStatementSuite):
        start = program.span(body.body[0])[0]
        rewrite.edits.append(Edit(start, start, f"{line}; "))
    else:
        rewrite.edits.append(at_top(program, init, [line]))
    rewrite.review("MT129", init.name, f"`{name}.{init.name.value}` calls `__init__` of the base class")


def _sets_up_base(program: Program, owner: cst.ClassDef, init: cst.FunctionDef) -> bool:
    """Whether an `__init__` calls the one of a preprocessor above."""
    for value in _init_owners(program, init):
        if isinstance(value, cst.Call):
            if _super_sets_up(program, owner):
                return True
        elif _is_preprocessor(program, value):
            return True
    return False


def _init_owners(program: Program, init: cst.FunctionDef) -> Iterator[cst.BaseExpression]:
    """What stands before each `.__init__(...)` of a function."""
    for call in program.calls:
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == _INIT and program.contains(init.body, call):
            yield call.func.value


def _super_sets_up(program: Program, owner: cst.ClassDef) -> bool:
    """Whether `super().__init__` in a class leads to that of a preprocessor, as far as its first base tells."""
    first = _bases(owner)[0]
    if _is_preprocessor(program, first):
        return True
    for where, one in _class_named(program, first):
        init = _method(one, _INIT)
        if init is not None and not any(isinstance(value, cst.Call) for value in _init_owners(where, init)):
            return False
    return True


def _initializer(program: Program, owner: cst.ClassDef) -> cst.FunctionDef | None:
    """The method of a class that runs when an object is made; of a dataclass what its `__init__` calls."""
    if not _gets_init(program, owner):
        return _method(owner, _INIT)
    return next((one for name in _BEHIND_INIT if (one := _method(owner, name)) is not None), None)


def _gets_init(program: Program, owner: cst.ClassDef) -> bool:
    """Whether a decorator writes the `__init__` of a class: `@dataclass`, `@attrs.define`."""
    if _method(owner, _INIT) is not None:
        return False
    names = {program.text(one.decorator).partition("(")[0].rpartition(".")[2] for one in owner.decorators}
    return bool(names & {"dataclass", "define", "mutable", "s"})


# `_fit` and `_transform`


def _migrate_fit(rewrite: Rewrite, owner: cst.ClassDef) -> None:
    program = rewrite.program
    fit = _method(owner, _FIT)
    if fit is None:
        return
    for node in _assigned_stats(program, fit):
        if isinstance(node, _NO_DICTIONARIES):
            rewrite.review("MT130", node, "`stats_` has to be a dictionary")
    if not _loses_itself(program, fit):
        return
    parameter = _first_parameter(fit)
    for empty in _empty_returns(fit):
        rewrite.edits.append(Edit(*program.span(empty), f"return {parameter}"))
    if _runs_through(fit.body):
        last = fit.body.body[-1]
        if isinstance(last, cst.SimpleStatementLine | cst.BaseCompoundStatement):
            rewrite.edits.append(below(program, last, f"return {parameter}"))
        else:
            end = program.span(last)[1]
            rewrite.edits.append(Edit(end, end, f"; return {parameter}"))
    rewrite.review("MT129", fit.name, f"`{owner.name.value}._fit` returns `{parameter}`")


def _loses_itself(program: Program, fit: cst.FunctionDef) -> bool:
    """Whether a `_fit` may return nothing: what Ray called was `fit`, whose result hardly anybody read."""
    if fit.decorators or _first_parameter(fit) is None:
        return False
    return bool(_empty_returns(fit)) or _runs_through(fit.body)


def _empty_returns(function: cst.FunctionDef) -> list[cst.Return]:
    return [node for node in own_returns(function.body) if node.value is None or is_none(node.value)]


def _runs_through(block: cst.BaseSuite) -> bool:
    """Whether the end of a block may be reached, for all that its last statement says."""
    last: cst.CSTNode = block.body[-1]
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    if isinstance(last, cst.If):
        return last.orelse is None or _runs_through(last.body) or _runs_through_else(last.orelse)
    if isinstance(last, cst.With):
        return _runs_through(last.body)
    return not isinstance(last, cst.Return | cst.Raise)


def _runs_through_else(branch: cst.If | cst.Else) -> bool:
    if isinstance(branch, cst.Else):
        return _runs_through(branch.body)
    return branch.orelse is None or _runs_through(branch.body) or _runs_through_else(branch.orelse)


def _assigned_stats(program: Program, fit: cst.FunctionDef) -> Iterator[cst.BaseExpression]:
    for attribute in program.attributes:
        target = program.parent(attribute)
        if attribute.attr.value == "stats_" and isinstance(target, cst.AssignTarget) and program.contains(fit, target):
            statement = program.parent(target)
            assert isinstance(statement, cst.Assign)
            yield statement.value


def _report_transform(rewrite: Rewrite, owner: cst.ClassDef) -> None:
    transform = _method(owner, _TRANSFORM)
    if transform is None or transform.params.star_kwarg is not None:
        return
    taken = {one.name.value for one in (*transform.params.params, *transform.params.kwonly_params)}
    if missing := [f"`{name}`" for name in _TRANSFORM_ARGUMENTS if name not in taken]:
        detail = f"`{owner.name.value}._transform` is given {', '.join(missing)} too, by their names"
        rewrite.review("MT130", transform.name, detail)


# Methods


def _statements(owner: cst.ClassDef) -> Iterator[cst.CSTNode]:
    for node in owner.body.body:
        yield from node.body if isinstance(node, cst.SimpleStatementLine) else (node,)


def _method(owner: cst.ClassDef, name: str) -> cst.FunctionDef | None:
    """The method that a class defines itself."""
    own = [node for node in owner.body.body if isinstance(node, cst.FunctionDef) and node.name.value == name]
    return own[-1] if own else None


def _first_parameter(function: cst.FunctionDef) -> str | None:
    """The name of `self`, None where it has none."""
    parameters = [*function.params.posonly_params, *function.params.params]
    return parameters[0].name.value if parameters else None

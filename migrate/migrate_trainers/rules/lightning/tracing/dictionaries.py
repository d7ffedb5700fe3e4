"""Builders and built configurations as plain dictionaries, wherever the file has them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.program import Statement
from migrate_trainers.reading.scopes import BindingKind, dotted_name, own_returns
from migrate_trainers.reading.source import Edit
from migrate_trainers.reading.values import ValueAnalysis
from migrate_trainers.refusal import Refusal
from migrate_trainers.rules.lightning.builder import (
    MethodCall,
    expression_statement,
    is_builder_call,
    keyword,
    positional_name,
)
from migrate_trainers.rules.lightning.flow import DICTIONARIES
from migrate_trainers.rules.lightning.mistakes import current_name
from migrate_trainers.rules.lightning.sites import IGNORED
from migrate_trainers.rules.lightning.strategy import strategy_class, unpacked_strategy
from migrate_trainers.rules.lightning.tracing.keys import (
    KEYS,
    METHOD_OF_KEY,
    MODULE_CLASS,
    STRATEGY,
    STRATEGY_KWARGS,
    STRATEGY_NAME,
)
from migrate_trainers.rules.lightning.tracing.reaching import reaching
from migrate_trainers.rules.literals import string
from migrate_trainers.writing.comments import MovedComments
from migrate_trainers.writing.render import Argument, call, free_name, names_in, relocated, sequence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from migrate_trainers.reading.program import Program
    from migrate_trainers.rules.lightning.tracing.reading import KeyUse, TracedFlow
    from migrate_trainers.rules.lightning.tracing.trace import Trace
    from migrate_trainers.rules.rewrite import Rewrite


class Dictionaries:
    """The text of everything that makes, fills or reads the configurations that belong together.

    `LightningConfigBuilder()` becomes a dictionary of dictionaries, its methods update these, and `build()` copies the
    outer one, as it did.
    """

    def __init__(self, rewrite: Rewrite, trace: Trace, flow: TracedFlow) -> None:
        self.rewrite = rewrite
        self.program: Program = rewrite.program
        self.trace = trace
        self.flow = flow
        self.unit = self.program.module.default_indent
        self._parts: dict[cst.CSTNode, str] = {}
        self._replaced: dict[Statement, list[str]] = {}
        self._before: dict[Statement, list[str]] = {}
        self._joined: list[Edit] = []
        for use in flow.keys:
            self._rename_key(use)
        self._filled = {chain: filling for chain in flow.chains if len(filling := self._filling(chain)) > 1}
        joined = {statement for filling in self._filled.values() for statement in filling[1:]}
        for chain in sorted(flow.chains, key=lambda chain: len(self.program.text(chain))):
            if self.program.statement(chain) not in joined:
                self._write_chain(chain)

    def text(self, node: cst.BaseExpression, indent: str) -> str:
        """An expression's new text."""
        return relocated(self.program, node, indent, self._parts)

    def reads_again(self, node: cst.BaseExpression) -> str | None:
        """The text by which a configuration can be read once more, None where evaluating it makes another."""
        if self.trace.builds(node):
            assert isinstance(node, cst.Call)
            assert isinstance(node.func, cst.Attribute)
            node = self.trace.split_chain(node.func.value)[0]
        return self.text(node, "") if _only_reads(node) else None

    def edits(self, but: Sequence[cst.CSTNode]) -> Iterator[Edit]:
        """The edits of the file's own code, outside of some expressions whose text goes elsewhere."""
        program = self.program
        yield from self._joined
        for statement, lines in self._replaced.items():
            indent = program.indent(statement)
            yield Edit(*program.span(statement), f"\n{indent}".join(lines) or "pass")
        for statement, lines in self._before.items():
            start = program.source.line_start(program.statement_start(statement))
            yield Edit(start, start, "".join(f"{program.indent(statement)}{line}\n" for line in lines))
        for part, text in self._parts.items():
            assert isinstance(part, cst.BaseExpression)
            if any(program.contains(outside, part) for outside in but):
                continue
            yield Edit(*program.outer_span(part), text)

    # Builders

    def _write_chain(self, chain: cst.Call) -> None:
        statement = self.program.statement(chain)
        filled: cst.BaseExpression = chain
        if self.trace.builds(chain):
            assert isinstance(chain.func, cst.Attribute)
            filled = chain.func.value
        root, methods = self.trace.split_chain(filled)
        self._check_arguments(methods)
        arguments = [argument for one in methods for argument in one.call.args]
        self._comments = MovedComments(self.program, [self.program.outer_span(chain)], arguments)
        if is_builder_call(self.program, root):
            assert isinstance(root, cst.Call)
            if chain in self._filled:
                self._write_filled(root, self._filled[chain])
            else:
                self._parts[chain] = self._display(root, methods, self._indent(chain))
        elif not methods:
            self._parts[chain] = self._built(root, self._indent(chain))
        elif expression_statement(statement) is chain and not self.trace.builds(chain):
            self._replaced[statement] = self._statement_lines(root, methods)
        elif isinstance(self.program.parent(chain), cst.Expr) and not self.trace.builds(chain):
            self._parts[chain] = self._joined_lines(chain, self._statement_lines(root, methods))
        else:
            self._write_value(chain, root, methods, statement)

    def _filling(self, chain: cst.Call) -> list[Statement]:
        """The assignment of a new builder, with the statements behind it that do nothing but fill it."""
        program = self.program
        statement = program.statement(chain)
        if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
            return []
        only = statement.body[0]
        if (
            not isinstance(only, cst.Assign)
            or only.value is not chain
            or len(only.targets) != 1
            or self.trace.builds(chain)
        ):
            return []
        owner = only.targets[0].target
        block = program.block(statement)
        if not _only_reads(owner) or not isinstance(block, cst.Module | cst.IndentedBlock):
            return []
        if not is_builder_call(program, self.trace.split_chain(chain)[0]):
            return []
        found: list[Statement] = [statement]
        for following in block.body[list(block.body).index(statement) + 1 :]:
            assert isinstance(following, Statement)
            filled = expression_statement(following)
            if filled not in self.flow.chains or self.trace.builds(filled):
                break
            root, methods = self.trace.split_chain(filled)
            given = {name for one in methods for argument in one.call.args for name in names_in(argument.value)}
            if program.text(root) != program.text(owner) or names_in(owner) & given or not self._joins(found, methods):
                break
            found.append(following)
        return found

    def _joins(self, statements: list[Statement], methods: list[MethodCall]) -> bool:
        """Whether a display evaluates what further calls are given in the same order as the calls did."""
        if any(map(_hides_strategy, methods)):
            return False
        before = [one.method for one in self._methods_in(statements)]
        return all(
            one.method not in before or before[-1] == one.method or not any(map(self._acts, one.call.args))
            for one in methods
        )

    def _methods_in(self, statements: list[Statement]) -> list[MethodCall]:
        chains = [chain for chain in self.flow.chains if self.program.statement(chain) in statements]
        chains.sort(key=lambda chain: self.program.span(chain)[0])
        return [one for chain in chains for one in self.trace.split_chain(chain)[1]]

    def _write_filled(self, builder: cst.Call, statements: list[Statement]) -> None:
        """One display for a builder and the statements behind it that fill it."""
        program = self.program
        first, last = statements[0], statements[-1]
        assert isinstance(first, cst.SimpleStatementLine)
        assert isinstance(first.body[0], cst.Assign)
        start, end = program.span(first)[0], program.source.line_end(program.span(last)[1])
        if program.source.buffer[end - 1 : end] == b"\n":
            end -= 1
        methods = self._methods_in(statements)
        self._check_arguments(methods)
        arguments = [argument for one in methods for argument in one.call.args]
        self._comments = MovedComments(program, [(start, end)], arguments)
        target = program.text(first.body[0].targets[0].target)
        text = f"{target} = {self._display(builder, methods, program.indent(first))}"
        self._joined.append(Edit(start, end, text))

    def _indent(self, node: cst.BaseExpression) -> str:
        """The white space in front of the line on which an expression starts, parentheses included."""
        source = self.program.source
        start = self.program.outer_span(node)[0]
        line = source.slice(source.line_start(start), start)
        return line[: len(line) - len(line.lstrip())]

    def _joined_lines(self, chain: cst.Call, lines: list[str]) -> str:
        """The lines of a statement that shares its own with others."""
        if any("#" in line for line in lines):
            raise Refusal("MT102", chain, "the builder's statement shares a line with others, and has comments")
        return "; ".join(lines) or "pass"

    def _write_value(
        self, chain: cst.Call, root: cst.BaseExpression, methods: list[MethodCall], statement: Statement
    ) -> None:
        """A builder that is filled in the expression that also uses it: it is filled in lines before that."""
        self._check_comes_first(chain, statement)
        indent = self.program.indent(statement)
        target = self._assigned_name(chain, root, methods, statement)
        if target is not None:
            made = [] if target == self._name_of(root) else [f"{target} = {self.text(root, indent)}"]
            updates = [line for method in methods for line in self._update_lines(target, method, indent)]
            self._replaced[statement] = [*self._comments.rest(), *made, *updates]
            return
        lines = self._statement_lines(root, methods)
        name = self._name_of(root)
        self._before.setdefault(statement, []).extend(lines)
        if self.trace.builds(chain) and name == self.text(root, indent):
            self._parts[chain] = self._built(root, indent)
        else:
            self._parts[chain] = f"{name}.copy()" if self.trace.builds(chain) and not self._is_owned(root) else name

    def _assigned_name(
        self, chain: cst.Call, root: cst.BaseExpression, methods: list[MethodCall], statement: Statement
    ) -> str | None:
        """The variable to which a statement assigns the filled builder and nothing else, if it can be filled there."""
        only = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
        if not isinstance(only, cst.Assign) or only.value is not chain or len(only.targets) != 1:
            return None
        target = only.targets[0].target
        given = {name for one in methods for argument in one.call.args for name in names_in(argument.value)}
        if self.trace.builds(chain):
            return None
        if self.program.text(target) == self._name_of(root):
            return self.program.text(target)
        return target.value if isinstance(target, cst.Name) and target.value not in given else None

    def _statement_lines(self, root: cst.BaseExpression, methods: list[MethodCall]) -> list[str]:
        """The updates of a chain, behind a line that names its root if that can't be evaluated once for each."""
        indent = self.program.indent(self.program.statement(root))
        name = self._name_of(root)
        lines = [] if _only_reads(root) else [f"{name} = {self.text(root, indent)}"]
        lines += [line for method in methods for line in self._update_lines(name, method, indent)]
        return [*self._comments.rest(), *lines]

    def _name_of(self, root: cst.BaseExpression) -> str:
        if _only_reads(root):
            return self.text(root, "")
        return free_name(self.program.all_bound_names(), "builder", "lightning_builder")

    def _update_lines(self, owner: str, one: MethodCall, indent: str) -> list[str]:
        lines: list[str] = []
        arguments: list[Argument] = []
        names_strategy = False
        for index, argument in enumerate(one.call.args):
            if _is(one, index, "module", "cls"):
                lines += self._comments.before(argument)
                line = f'{owner}["{MODULE_CLASS}"] = {self.text(argument.value, indent)}'
                lines.append(f"{line}  {self._comments.behind(argument)}".rstrip())
            elif _is(one, index, "strategy", "name"):
                names_strategy = True
                lines += self._strategy_lines(owner, argument.value, one.call)
            elif self._stays(one, argument):
                arguments.append(self._argument(one, argument, indent + self.unit))
        if one.method in ("strategy", "ddp_strategy") and not (names_strategy or _hides_strategy(one)):
            lines += self._strategy_lines(owner, None, one.call)
        if arguments:
            target = f"{owner}{self._path(DICTIONARIES[one.method])}"
            lines.append(call(f"{target}.update", arguments, indent, self.unit))
            if _hides_strategy(one):
                chosen = self._unpacked_strategy(target, one.call, indent)
                lines.append(f'{owner}["{STRATEGY}"]["class"] = {chosen}')
        return lines

    def _name(self, one: MethodCall, argument: cst.Arg) -> str | None:
        """The keyword under which an argument goes into its dictionary."""
        name = keyword(argument)
        return current_name(name, self.rewrite.settings) if name is not None and one.method == "trainer" else name

    def _argument(self, one: MethodCall, argument: cst.Arg, indent: str) -> Argument:
        return Argument(
            self.text(argument.value, indent),
            self._name(one, argument),
            argument.star,
            self._comments.before(argument),
            self._comments.behind(argument),
        )

    def _stays(self, one: MethodCall, argument: cst.Arg) -> bool:
        """Whether a keyword goes into its dictionary; those that had no effect don't."""
        if one.method != "trainer" or keyword(argument) not in IGNORED or self.flow.keeps_ignored:
            return True
        self.rewrite.review("MT110", argument, f"`{keyword(argument)}=...`")
        return False

    def _strategy_lines(self, owner: str, name: cst.BaseExpression | None, place: cst.CSTNode) -> list[str]:
        if not self.flow.chooses_strategy:
            return []
        return [f'{owner}["{STRATEGY}"]["class"] = {self._strategy_class(name, place, self.program.indent(place))}']

    def _strategy_class(self, name: cst.BaseExpression | None, place: cst.CSTNode, indent: str) -> str:
        """The class for a strategy's name, imported where code at a place can read it."""
        text = self.text(name, "") if name is not None else ""
        with self._imports_at(place):
            return strategy_class(self.rewrite, name, text, indent)

    def _unpacked_strategy(self, dictionary: str, place: cst.CSTNode, indent: str) -> str:
        with self._imports_at(place):
            return unpacked_strategy(self.rewrite, dictionary, indent)

    def _imports_at(self, place: cst.CSTNode) -> AbstractContextManager[None]:
        """Lets what is imported for code at a place be imported where that code can read it."""
        if self.program.contains(self.rewrite.imports.block, place):
            return nullcontext()
        for statement in self.program.imports:
            block = self.program.block(self.program.statement(statement))
            if _imports_builder(statement) and self.program.contains(block, place):
                return self.rewrite.imports.standing_at(statement)
        raise Refusal("MT101", place, "the names that it needs are imported in another function")

    def _path(self, section: str) -> str:
        """How an outer dictionary is subscripted to reach one of the inner ones."""
        if section == STRATEGY_KWARGS and self.flow.chooses_strategy:
            return f'["{STRATEGY}"]["kwargs"]'
        return f'["{section}"]'

    def _display(self, builder: cst.Call, methods: list[MethodCall], indent: str) -> str:
        """A new builder with all that it is filled with in the same expression."""
        items: dict[str, dict[cst.Arg, Argument]] = {}
        module_class: Argument | None = None
        strategy = ""
        order: list[str] = []
        inner = indent + self.unit
        for one in methods:
            section = DICTIONARIES[one.method]
            if section in order and order[-1] != section and any(self._acts(a) for a in one.call.args):
                raise Refusal("MT102", one.call, "what it is given is evaluated behind other calls of the builder")
            order += [section] if section not in order else []
            chosen: cst.BaseExpression | None = None
            for index, argument in enumerate(one.call.args):
                if _is(one, index, "module", "cls"):
                    value = f'"{MODULE_CLASS}": {self.text(argument.value, inner)}'
                    before, behind = self._comments.before(argument), self._comments.behind(argument)
                    module_class = Argument(value, comments=before, trailing=behind)
                elif _is(one, index, "strategy", "name"):
                    chosen = argument.value
                elif self._stays(one, argument):
                    self._add_entry(items.setdefault(section, {}), one, argument, inner + self.unit)
            if _hides_strategy(one):
                raise Refusal("MT104", one.call, "the strategy's name may be among these keywords")
            if one.method in ("strategy", "ddp_strategy") and self.flow.chooses_strategy:
                strategy = self._strategy_class(chosen, one.call, inner + self.unit)
        all_sections = list(dict.fromkeys(DICTIONARIES.values()))
        if [section for section in all_sections if section in order] == order:
            order = all_sections
        else:
            order += [section for section in all_sections if section not in order]
        entries = []
        for section in order:
            if section == DICTIONARIES["module"] and module_class is not None:
                entries.append(module_class)
            if section == STRATEGY_KWARGS and self.flow.chooses_strategy:
                chosen_class = strategy or self._strategy_class(None, builder, "")
                head = '"kwargs": '
                given = items.get(section, {}).values()
                kwargs = sequence("{", given, "}", inner + self.unit, self.unit, before=f"{head},")
                both = [Argument(f'"class": {chosen_class}'), Argument(f'"kwargs": {kwargs}')]
                head = f'"{STRATEGY}": '
                entries.append(Argument(head + sequence("{", both, "}", inner, self.unit, before=f"{head},")))
            elif section in self.flow.sections:
                head = f'"{section}": '
                given = items.get(section, {}).values()
                entries.append(Argument(head + sequence("{", given, "}", inner, self.unit, before=f"{head},")))
        entries[0] = replace(entries[0], comments=(*self._comments.rest(), *entries[0].comments))
        return sequence("{", entries, "}", indent, self.unit, spread=True)

    def _add_entry(self, entries: dict[cst.Arg, Argument], one: MethodCall, argument: cst.Arg, indent: str) -> None:
        """Add an argument to those of its dictionary, in place of an earlier one of its name that only reads."""
        for other in list(entries):
            same = keyword(other) is not None and keyword(other) == keyword(argument)
            if same and not self._acts(other) and not entries[other].comments and not entries[other].trailing:
                del entries[other]
        entries[argument] = self._entry(one, argument, indent)

    def _entry(self, one: MethodCall, argument: cst.Arg, indent: str) -> Argument:
        value = self.text(argument.value, indent)
        before, behind = self._comments.before(argument), self._comments.behind(argument)
        if argument.star:
            return Argument(value, star="**", comments=before, trailing=behind)
        return Argument(f'"{self._name(one, argument)}": {value}', comments=before, trailing=behind)

    def _acts(self, argument: cst.Arg) -> bool:
        return not ValueAnalysis(self.program, self.program.statement(argument)).only_reads(argument.value)

    def _check_arguments(self, methods: Sequence[MethodCall]) -> None:
        for one in methods:
            for index, argument in enumerate(one.call.args):
                named = keyword(argument) is not None or positional_name(one, index) is not None
                if argument.star == "*" or not (named or argument.star):
                    raise Refusal("MT106", argument, f"`.{one.method}()` takes keyword arguments only")

    def _check_comes_first(self, chain: cst.Call, statement: Statement) -> None:
        """Lines before a statement must run exactly when the chain in it did, and before anything else in it."""
        program = self.program
        text = "the builder is filled inside a larger statement"
        if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
            raise Refusal("MT102", chain, text)
        maybe = (cst.Lambda, cst.BaseComp, cst.DictComp, cst.IfExp, cst.BooleanOperation, cst.Comparison)
        for above in program.ancestors(chain):
            if above is statement:
                break
            if isinstance(above, maybe):
                raise Refusal("MT102", chain, text)
        start = program.span(chain)[0]
        for other in program.calls:
            is_config = program.qualified_name(other.func) in legacy.CONFIG_CLASSES
            if program.contains(statement, other) and program.span(other)[1] <= start and not is_config:
                raise Refusal("MT102", chain, text)

    # Built configurations

    def _built(self, root: cst.BaseExpression, indent: str) -> str:
        text = self.text(root, indent)
        return text if self._is_owned(root) else f"{text}.copy()"

    def _is_owned(self, node: cst.BaseExpression, depth: int = 0) -> bool:
        """Whether nothing else will use the builder that an expression gives, so that it needs no copy."""
        if self.trace.builds(node):
            return False
        root = self.trace.split_chain(node)[0]
        if is_builder_call(self.program, root):
            return True
        if isinstance(root, cst.Name):
            return self._is_last_use(root)
        callees = self.trace.callables.callees(root) if isinstance(root, cst.Call) and depth < 3 else None
        return callees is not None and all(
            isinstance(function, cst.FunctionDef)
            and bool(returns := own_returns(function.body))
            and all(one.value is not None and self._is_owned(one.value, depth + 1) for one in returns)
            for function, _ in callees
        )

    def _is_last_use(self, name: cst.Name) -> bool:
        program = self.program
        bindings = program.bindings(name)
        uses = [use for binding in bindings[:1] for use in program.uses(binding)]
        scope = program.scope(name)
        if scope.is_class or any(
            binding.kind is not BindingKind.ASSIGNMENT
            or binding.value is None
            or binding.scope is not scope
            or not self._makes_or_fills(binding.value, name.value)
            for binding in bindings
        ):
            return False
        if any(program.scope(use) is not scope or program.span(use)[0] > program.span(name)[0] for use in uses):
            return False
        if any(use is not name and not isinstance(program.parent(use), cst.Attribute) for use in uses):
            return False
        loop = program.loop_around(name)
        return loop is None or all(program.contains(loop, binding.node) for binding in reaching(program, name))

    def _makes_or_fills(self, value: cst.BaseExpression, name: str) -> bool:
        if self.trace.builds(value):
            return False
        root = self.trace.split_chain(value)[0]
        return is_builder_call(self.program, root) or (isinstance(root, cst.Name) and root.value == name)

    def _rename_key(self, use: KeyUse) -> None:
        new = KEYS[use.key]
        if isinstance(use.node, cst.Name):
            if METHOD_OF_KEY.get(use.key) == "strategy" and self.flow.chooses_strategy:
                raise Refusal("MT105", use.node, "it is a keyword of `dict(...)`")
            self._parts[use.node] = new
            return
        quote = self.program.text(use.node)[-1]
        self._parts[use.node] = f"{quote}{new}{quote}"
        if new == STRATEGY_KWARGS and self.flow.chooses_strategy:
            self._rename_strategy(use, quote)

    def _rename_strategy(self, use: KeyUse, quote: str) -> None:
        """`_strategy_config` held the name with the arguments; its dictionary holds the class beside them."""
        program = self.program
        parent = program.parent(use.node)
        strategy = f"{quote}{STRATEGY}{quote}"
        if isinstance(parent, cst.DictElement):
            self._parts[use.node] = strategy
            self._parts[parent.value] = self._strategy_display(parent.value)
            return
        part = program.parent(program.parent(parent)) if isinstance(parent, cst.Index) else None  # type: ignore[arg-type]
        if not isinstance(part, cst.Subscript):
            raise Refusal("MT105", use.node, "the strategy may be looked for here")
        entry = program.parent(part)
        target = program.parent(entry) if isinstance(entry, cst.Subscript) else None
        index = entry.slice[0].slice if isinstance(entry, cst.Subscript) else None
        statement = program.parent(target) if isinstance(target, cst.AssignTarget) else None
        if isinstance(index, cst.Index) and string(index.value) == STRATEGY_NAME and isinstance(statement, cst.Assign):
            self._parts[use.node] = strategy
            self._parts[index.value] = f"{quote}class{quote}"
            self._parts[statement.value] = self._strategy_class(statement.value, statement, program.indent(statement))
        elif isinstance(entry, cst.AssignTarget):
            whole = program.parent(entry)
            assert isinstance(whole, cst.Assign)
            self._parts[use.node] = strategy
            self._parts[whole.value] = self._strategy_display(whole.value)
        else:
            self._parts[use.node] = f"{strategy}][{quote}kwargs{quote}"

    def _strategy_display(self, node: cst.BaseExpression) -> str:
        """A `_strategy_config` that is written out."""
        if not isinstance(node, cst.Dict):
            raise Refusal("MT105", node, "the strategy's settings are not written out here")
        indent = self.program.indent(node)
        name = None
        entries = []
        for element in node.elements:
            key = string(element.key) if isinstance(element, cst.DictElement) else None
            if key is None:
                raise Refusal("MT105", node, "the strategy's name may be among these settings")
            if key == STRATEGY_NAME:
                name = element.value
            else:
                entries.append(Argument(f'"{key}": {self.text(element.value, indent)}'))
        kwargs = f"{{{', '.join(entry.text for entry in entries)}}}"
        return f'{{"class": {self._strategy_class(name, node, indent)}, "kwargs": {kwargs}}}'


def _is(one: MethodCall, index: int, method: str, name: str) -> bool:
    """Whether an argument of a builder's call is a certain one."""
    argument = one.call.args[index]
    if argument.star or one.method != method:
        return False
    return (keyword(argument) or positional_name(one, index)) == name


def _hides_strategy(one: MethodCall) -> bool:
    """Whether a strategy's name may be among unpacked keywords."""
    named = any(_is(one, index, "strategy", "name") for index in range(len(one.call.args)))
    return one.method == "strategy" and not named and any(argument.star for argument in one.call.args)


def _only_reads(node: cst.BaseExpression) -> bool:
    """Whether an expression names something that is there: `builder`, `self.builder`, `builders["a"]`."""
    if isinstance(node, cst.Name):
        return True
    if isinstance(node, cst.Attribute):
        return _only_reads(node.value)
    if isinstance(node, cst.Subscript):
        indices = [element.slice.value for element in node.slice if isinstance(element.slice, cst.Index)]
        simple = all(isinstance(index, cst.Name | cst.SimpleString | cst.Integer) for index in indices)
        return bool(indices) and simple and _only_reads(node.value)
    return False


def _imports_builder(statement: cst.Import | cst.ImportFrom) -> bool:
    if not isinstance(statement, cst.ImportFrom) or isinstance(statement.names, cst.ImportStar):
        return False
    module = dotted_name(statement.module)
    return any(f"{module}.{dotted_name(alias.name)}" in legacy.BUILDERS for alias in statement.names)

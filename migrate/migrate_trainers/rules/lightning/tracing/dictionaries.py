"""Builders and built configurations as plain dictionaries, wherever the file has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from migrate_trainers.reading import legacy
from migrate_trainers.reading.source import Edit
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
from migrate_trainers.rules.lightning.tracing.filling import (
    acts,
    filling,
    hides_strategy,
    is_argument,
    methods_in,
    only_reads,
)
from migrate_trainers.rules.lightning.tracing.keys import (
    MODULE_CLASS,
    STRATEGY,
    STRATEGY_KWARGS,
)
from migrate_trainers.rules.lightning.tracing.ownership import is_owned
from migrate_trainers.rules.lightning.tracing.renamed_keys import RenamedKeys
from migrate_trainers.rules.lightning.tracing.strategies import Strategies
from migrate_trainers.rules.lightning.tracing.texts import Texts
from migrate_trainers.writing.comments import MovedComments
from migrate_trainers.writing.render import Argument, call, free_name, names_in, sequence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrate_trainers.reading.program import Program, Statement
    from migrate_trainers.rules.lightning.tracing.reading import TracedFlow
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
        self._texts = Texts(rewrite.program)
        self._strategies = Strategies(rewrite, self._texts)
        self._replaced: dict[Statement, list[str]] = {}
        self._before: dict[Statement, list[str]] = {}
        self._joined: list[Edit] = []
        RenamedKeys(rewrite.program, flow, self._texts, self._strategies).write()
        self._filled = {
            chain: statements for chain in flow.chains if len(statements := filling(trace, flow, chain)) > 1
        }
        joined = {statement for statements in self._filled.values() for statement in statements[1:]}
        for chain in sorted(flow.chains, key=lambda chain: len(self.program.text(chain))):
            if self.program.statement(chain) not in joined:
                self._write_chain(chain)

    def text(self, node: cst.BaseExpression, indent: str) -> str:
        """An expression's new text."""
        return self._texts.of(node, indent)

    def reads_again(self, node: cst.BaseExpression) -> str | None:
        """The text by which a configuration can be read once more, None where evaluating it makes another."""
        if self.trace.builds(node):
            assert isinstance(node, cst.Call)
            assert isinstance(node.func, cst.Attribute)
            node = self.trace.split_chain(node.func.value)[0]
        return self.text(node, "") if only_reads(node) else None

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
        for part, text in self._texts.parts.items():
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
                self._texts.parts[chain] = self._display(root, methods, self._indent(chain))
        elif not methods:
            self._texts.parts[chain] = self._built(root, self._indent(chain))
        elif expression_statement(statement) is chain and not self.trace.builds(chain):
            self._replaced[statement] = self._statement_lines(root, methods)
        elif isinstance(self.program.parent(chain), cst.Expr) and not self.trace.builds(chain):
            self._texts.parts[chain] = self._joined_lines(chain, self._statement_lines(root, methods))
        else:
            self._write_value(chain, root, methods, statement)

    def _write_filled(self, builder: cst.Call, statements: list[Statement]) -> None:
        """One display for a builder and the statements behind it that fill it."""
        program = self.program
        first, last = statements[0], statements[-1]
        assert isinstance(first, cst.SimpleStatementLine)
        assert isinstance(first.body[0], cst.Assign)
        start, end = program.span(first)[0], program.source.line_end(program.span(last)[1])
        if program.source.buffer[end - 1 : end] == b"\n":
            end -= 1
        methods = methods_in(self.trace, self.flow, statements)
        self._check_arguments(methods)
        arguments = [argument for one in methods for argument in one.call.args]
        self._comments = MovedComments(program, [(start, end)], arguments)
        target = program.text(first.body[0].targets[0].target)
        text = f"{target} = {self._display(builder, methods, program.indent(first))}"
        self._joined.append(Edit(start, end, text))

    def _indent(self, node: cst.BaseExpression) -> str:
        """The white space in front of the line on which an expression starts, parentheses included."""
        return self.program.source.indent_at(self.program.outer_span(node)[0])

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
            self._texts.parts[chain] = self._built(root, indent)
        else:
            self._texts.parts[chain] = (
                f"{name}.copy()" if self.trace.builds(chain) and not is_owned(self.trace, root) else name
            )

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
        lines = [] if only_reads(root) else [f"{name} = {self.text(root, indent)}"]
        lines += [line for method in methods for line in self._update_lines(name, method, indent)]
        return [*self._comments.rest(), *lines]

    def _name_of(self, root: cst.BaseExpression) -> str:
        if only_reads(root):
            return self.text(root, "")
        return free_name(self.program.all_bound_names(), "builder", "lightning_builder")

    def _update_lines(self, owner: str, one: MethodCall, indent: str) -> list[str]:
        lines: list[str] = []
        arguments: list[Argument] = []
        names_strategy = False
        for index, argument in enumerate(one.call.args):
            if is_argument(one, index, "module", "cls"):
                lines += self._comments.before(argument)
                line = f'{owner}["{MODULE_CLASS}"] = {self.text(argument.value, indent)}'
                lines.append(f"{line}  {self._comments.behind(argument)}".rstrip())
            elif is_argument(one, index, "strategy", "name"):
                names_strategy = True
                lines += self._strategy_lines(owner, argument.value, one.call)
            elif self._stays(one, argument):
                arguments.append(self._argument(one, argument, indent + self.unit))
        if one.method in ("strategy", "ddp_strategy") and not (names_strategy or hides_strategy(one)):
            lines += self._strategy_lines(owner, None, one.call)
        if arguments:
            target = f"{owner}{self._path(DICTIONARIES[one.method])}"
            lines.append(call(f"{target}.update", arguments, indent, self.unit))
            if hides_strategy(one):
                chosen = self._strategies.unpacked(target, one.call, indent)
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
        return [
            f'{owner}["{STRATEGY}"]["class"] = {self._strategies.class_for(name, place, self.program.indent(place))}'
        ]

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
            if section in order and order[-1] != section and any(acts(self.program, a) for a in one.call.args):
                raise Refusal("MT102", one.call, "what it is given is evaluated behind other calls of the builder")
            order += [section] if section not in order else []
            chosen: cst.BaseExpression | None = None
            for index, argument in enumerate(one.call.args):
                if is_argument(one, index, "module", "cls"):
                    value = f'"{MODULE_CLASS}": {self.text(argument.value, inner)}'
                    before, behind = self._comments.before(argument), self._comments.behind(argument)
                    module_class = Argument(value, comments=before, trailing=behind)
                elif is_argument(one, index, "strategy", "name"):
                    chosen = argument.value
                elif self._stays(one, argument):
                    self._add_entry(items.setdefault(section, {}), one, argument, inner + self.unit)
            if hides_strategy(one):
                raise Refusal("MT104", one.call, "the strategy's name may be among these keywords")
            if one.method in ("strategy", "ddp_strategy") and self.flow.chooses_strategy:
                strategy = self._strategies.class_for(chosen, one.call, inner + self.unit)
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
                chosen_class = strategy or self._strategies.class_for(None, builder, "")
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
            if same and not acts(self.program, other) and not entries[other].comments and not entries[other].trailing:
                del entries[other]
        entries[argument] = self._entry(one, argument, indent)

    def _entry(self, one: MethodCall, argument: cst.Arg, indent: str) -> Argument:
        value = self.text(argument.value, indent)
        before, behind = self._comments.before(argument), self._comments.behind(argument)
        if argument.star:
            return Argument(value, star="**", comments=before, trailing=behind)
        return Argument(f'"{self._name(one, argument)}": {value}', comments=before, trailing=behind)

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
        return text if is_owned(self.trace, root) else f"{text}.copy()"

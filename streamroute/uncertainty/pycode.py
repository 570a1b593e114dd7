"""Python source in a canonical form: what is left when layout, comments, docstrings and local names do not count."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

__all__ = ("binds", "canonical", "parsed")

MAX_SOURCE = 20_000
# Where names are looked up by their spelling, spelling counts.
_REFLECTION = frozenset(("locals", "vars", "eval", "exec", "globals", "dir"))
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BODIES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of `source`, or None where it is no Python, too long, or nested too deeply to be read."""
    if len(source) > MAX_SOURCE:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in an answer is no business of the reader
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # ValueError: null bytes, lone surrogates
        return None


def binds(tree: ast.Module) -> bool:
    """Whether this is a program rather than words that happen to parse: it defines, imports, or assigns in a sequence
    of statements."""
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    assignments = (ast.Assign, ast.AugAssign, ast.AnnAssign)
    return any(isinstance(node, definitions) for node in tree.body) or (
        len(tree.body) > 1 and any(isinstance(node, assignments) for node in tree.body)
    )


def canonical(tree: ast.Module) -> str | None:
    """The source of `tree`, which is consumed, in canonical form, or None where it cannot be written out.

    Names that a function binds are numbered in the order of their binding. All others stay: of functions, classes,
    attributes, modules, globals, and of arguments that some call passes by name.
    """
    try:
        nodes = list(ast.walk(tree))
        for node in nodes:
            if isinstance(node, _BODIES):
                node.body = _without_docstring(node.body) or [ast.Pass()]
        kept = _kept(nodes)
        if kept is not None:
            _Renamer(kept).visit(tree)
        return ast.unparse(ast.fix_missing_locations(tree))
    except (ValueError, RecursionError, MemoryError):  # ValueError: an integer with too many digits to write
        return None


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(ast.Constant(str())), *rest]:
            return rest
    return body


def _kept(nodes: list[ast.AST]) -> frozenset[str] | None:
    """Names that are used by their spelling, or as if from outside their scope; None where any may be."""
    kept: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(id) if id in _REFLECTION:
                return None
            case ast.keyword(arg=str(name)):
                kept.add(name)
            case ast.NamedExpr(ast.Name(name)):  # inside a comprehension it binds outside
                kept.add(name)
    return frozenset(kept)


class _Scope:
    def __init__(self, names: dict[str, str], *, is_class: bool = False) -> None:
        self.names = names
        self.is_class = is_class


class _Renamer(ast.NodeTransformer):
    """Renames by Python's own rules of scope: the innermost function that binds a name, past classes."""

    def __init__(self, kept: frozenset[str]) -> None:
        self._kept = kept
        self._scopes: list[_Scope] = []
        self._numbered = 0
        self._done: set[ast.AST] = set()

    def visit(self, node: ast.AST) -> ast.AST:
        if node in self._done:
            return node
        if isinstance(node, (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef)):
            return self._enter(node)
        for field in ("id", "arg", "name", "rest"):
            name = getattr(node, field, None)
            if isinstance(name, str) and not isinstance(node, ast.keyword | ast.alias):
                setattr(node, field, self._renamed(name))
        if isinstance(node, ast.Nonlocal):
            node.names = sorted(map(self._renamed, node.names))
        self.generic_visit(node)
        return node

    def _enter(self, node: ast.AST) -> ast.AST:
        for outside in _outside(node):
            self.visit(outside)
            self._done.add(outside)
        self._scopes.append(self._scope(node))
        self.generic_visit(node)
        self._scopes.pop()
        return node

    def _scope(self, node: ast.AST) -> _Scope:
        body = getattr(node, "body", [])
        inside = body if isinstance(body, list) else []  # a lambda's body is an expression, and binds nothing
        if isinstance(node, ast.ClassDef):
            return _Scope({name: name for name in _bound(inside)}, is_class=True)
        arguments = [a.arg for a in _arguments(node.args)] if isinstance(node, _FUNCTIONS) else []
        targets = [generator.target for generator in getattr(node, "generators", ())]
        names: dict[str, str] = {}
        for name in dict.fromkeys((*arguments, *_bound(targets), *_bound(inside))):
            # What starts with "$" is no name that a source could have.
            names[name] = name if name in self._kept else f"${self._numbered}"
            self._numbered += 1
        names |= {name: name for name in (*_stated(inside), *_declared(inside, ast.Global))}
        for name in _declared(inside, ast.Nonlocal):
            names.pop(name, None)
        return _Scope(names)

    def _renamed(self, name: str) -> str:
        for scope in reversed(self._scopes):
            if scope.is_class and scope is not self._scopes[-1]:
                continue
            if name in scope.names:
                return scope.names[name]
        return name


def _outside(node: ast.AST) -> list[ast.AST]:
    """What of a scope is read in the scope around it: defaults, decorators, annotations, bases, the first iterable."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            annotations = [a.annotation for a in _arguments(node.args)]
            defaults = [*node.args.defaults, *node.args.kw_defaults]
            found = [*node.decorator_list, *defaults, *annotations, node.returns]
            return [part for part in found if part is not None]
        case ast.Lambda():
            return [part for part in (*node.args.defaults, *node.args.kw_defaults) if part is not None]
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords]
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return [node.generators[0].iter]
    return []


def _arguments(a: ast.arguments) -> list[ast.arg]:
    return [*a.posonlyargs, *a.args, *([a.vararg] if a.vararg else []), *a.kwonlyargs, *([a.kwarg] if a.kwarg else [])]


def _here(nodes: list[ast.stmt] | list[ast.expr]) -> Iterator[ast.AST]:
    """The nodes of one scope, in order; of those that open another, only the node itself."""
    stack: list[ast.AST] = list(reversed(nodes))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef)):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))


def _bound(nodes: list[ast.stmt] | list[ast.expr]) -> Iterator[str]:
    for node in _here(nodes):
        match node:
            case ast.Name(name, ast.Store() | ast.Del()):
                yield name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name


def _stated(nodes: list[ast.stmt]) -> Iterator[str]:
    """Local functions, classes and modules, which keep their names."""
    for node in _here(nodes):
        match node:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                yield name
            case ast.alias(name, asname):
                yield (asname or name).partition(".")[0]


def _declared(nodes: list[ast.stmt], kind: type[ast.Global] | type[ast.Nonlocal]) -> Iterator[str]:
    for node in _here(nodes):
        if isinstance(node, kind):
            yield from node.names

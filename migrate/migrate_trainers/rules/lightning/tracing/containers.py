"""Calls by which values get into containers and out of them again."""

# Builtins that give their first argument, a copy of it, or an iterator over it.
SAME_ITEMS = frozenset({"list", "tuple", "sorted", "reversed", "set", "iter"})
COPIES = frozenset({"copy.copy", "copy.deepcopy"})
# Methods of containers that give one of the items, or put arguments among them.
GETTERS = frozenset({"get", "pop", "popleft", "popitem", "setdefault", "__getitem__"})
ADDERS = frozenset({"append", "appendleft", "add", "insert", "setdefault"})
EXTENDERS = frozenset({"extend", "update"})

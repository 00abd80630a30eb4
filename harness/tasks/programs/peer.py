"""Two processes that use each other's objects: each asks, and answers what it is asked meanwhile.

Plain values are copied, and what the other side changes in an argument comes back. Everything else is used through
stand-ins. Whoever is asked decides what may be done (`may`); whoever asks decides what it asks for (`forward`).
"""

from __future__ import annotations

import asyncio
import copy
import threading
from contextlib import suppress
from typing import Any

from harness.tasks.programs import changes, stand_ins, subclasses
from harness.tasks.programs.channel import Channel, Gone
from harness.tasks.programs.objects import Objects, text_of
from harness.tasks.programs.stand_ins import FORWARDED, StandIn
from harness.tasks.programs.values import Malformed, Node, Part, Reader, Writer


class Peer:
    """One side. Sides differ in what they let be done: see `tester` and `candidate`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.RLock()
        self.objects = Objects(self._stand_in, self._attribute, self.offers, self.accepts, self.keeps)

    def may(self, operation: str, target: Any, arguments: tuple[Any, ...]) -> bool:
        """Whether the other side may do this with one of our objects."""
        return True

    def offers(self, module: str, name: str) -> bool:
        """Whether an importable object goes to the other side by its name."""
        return True

    def accepts(self, module: str, name: str) -> bool:
        """Whether the other side may name an importable object, to be used here."""
        return True

    def keeps(self, value: Any) -> bool:
        """Whether an instance of a subclass of a plain type stays an object here, or is copied as that plain value."""
        return False

    def forward(self, target: StandIn, special: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A special method of the object that `target` stands for."""
        return self.ask("call" if special == "__call__" else special, target, *arguments, **named)

    def ask(self, operation: str, target: Any, *arguments: Any, **named: Any) -> Any:
        """Do something with one of the other side's objects. Raises what is raised there, as the same kind, or Gone."""
        with self._lock:
            writer = Writer(self.objects.node, {})
            root = writer.write([operation, target, arguments, named])
            sent = {index: one for index, one in enumerate(writer.kept) if changes.is_mutable(one)}
            self._channel.send("ask", writer.nodes, root)
            while True:
                kind, nodes, root = self._channel.receive()
                if kind == "answer":
                    break
                self._answer(nodes, root)
            failed, result = self._take(nodes, root, sent)
        if failed:
            raise result
        return result

    def serve(self) -> None:
        """Answer until the other side ends."""
        with suppress(Gone):
            while True:
                _, nodes, root = self._channel.receive()
                self._answer(nodes, root)

    def _take(self, nodes: list[Node], root: Part, sent: dict[int, Any]) -> tuple[bool, Any]:
        """An answer: whether it is an error, and what it is; changed arguments are changed here too."""
        try:
            (failed, result, changed), _ = self._read(nodes, root, sent)
            if failed and not isinstance(result, BaseException):
                raise Malformed("an error that is none")
            for index, new in changed:
                changes.refill(sent[index], new)
        except (Malformed, TypeError, ValueError, KeyError):
            raise Gone("answered what is no answer") from None
        return bool(failed), result

    def _answer(self, nodes: list[Node], root: Part) -> None:
        try:
            (operation, target, arguments, named), built = self._read(nodes, root, {})
        except (Malformed, TypeError, ValueError) as error:
            raise Gone("asked what is no question") from error
        before = {index: changes.snapshot(one) for index, one in enumerate(built) if changes.is_mutable(one)}
        failed, result = False, None
        try:
            if not self.may(operation, target, arguments):
                refused = AttributeError if operation == "get" else PermissionError
                raise refused(f"not allowed here: {operation}")
            result = self.do(operation, target, arguments, named)
        except Gone:
            raise
        except BaseException as error:
            failed, result = True, error
        known = {id(built[index]): index for index in before}
        try:
            changed = [
                (index, changes.content(built[index]))
                for index, was in before.items()
                if changes.snapshot(built[index]) != was
            ]
            writer = Writer(self.objects.node, known)
            root = writer.write([failed, result, changed])
            self._channel.send("answer", writer.nodes, root)
        except Gone:
            raise
        except BaseException as error:  # what can't be sent is an error of who made it
            kind = type(error) if type(error).__module__ == "builtins" else Exception
            writer = Writer(self.objects.node, {})
            root = writer.write([True, kind(text_of(error)), []])
            self._channel.send("answer", writer.nodes, root)

    def do(self, operation: str, target: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """One operation on one of our objects."""
        match operation:
            case "call":
                return target(*arguments, **named)
            case "get":
                return getattr(target, *arguments)
            case "set":
                return setattr(target, *arguments)
            case "del":
                return delattr(target, *arguments)
            case "base":
                return subclasses.plain_base(target)
            case "run":
                return asyncio.run(target)
            case "copy":
                return copy.copy(target)
            case "deepcopy":
                return copy.deepcopy(target)
            case "isinstance":
                return isinstance(arguments[0], target)
            case "issubclass":
                return issubclass(arguments[0], target)
        if operation not in FORWARDED:
            raise TypeError(f"nothing is called {operation}"[:200])
        return getattr(type(target), operation)(target, *arguments, **named)

    def _read(self, nodes: list[Node], root: Part, sent: dict[int, Any]) -> tuple[Any, list[Any]]:
        reader = Reader(nodes, self.objects.value, sent.__getitem__)
        reader.read()
        return reader.value(root), reader.built

    def _stand_in(self, number: int, kind: str, name: str, special: list[str], base: str | None) -> Any:
        return stand_ins.make(self, number, kind, name, special, base)

    def _attribute(self, error: Any, name: str) -> Any:
        return self.ask("get", error, name)

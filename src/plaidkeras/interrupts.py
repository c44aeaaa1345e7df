"""Ctrl-C, and other signals that Python answers, while PlaidML compiles."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ANSWERED = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2")
            if hasattr(signal, name)]


@contextmanager
def deferred() -> Iterator[None]:
    """Answer signals at the end. PlaidML's compiler calls Python back, and what is raised there is lost."""
    handlers = {number: handler for number in ANSWERED if callable(handler := signal.getsignal(number))}
    if threading.current_thread() is not threading.main_thread():
        handlers = {}  # signals are answered in the main thread
    came = []
    for number in handlers:
        signal.signal(number, lambda *signaled: came.append(signaled))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, frame in dict(came).items():
            handlers[number](number, frame)

"""A local server of one finished site, whose open pages reload when the site changes."""

import errno
import os
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import watchfiles

from digits import ExpectedError
from report.errors import ReportError, message
from report.output.bundle import read_marker

SECONDS_BETWEEN_SIGNS_OF_LIFE = 15
CHANGES, SCRIPT = "/_changes", "/_reload.js"
# Only what is served carries these. The files themselves ask nobody for anything.
_RELOAD = f'new EventSource("{CHANGES}").onmessage = () => location.reload();\n'.encode()
_ELEMENT = f'<script src="{SCRIPT}" defer></script>\n</head>'.encode()
_POLICY = b"default-src 'none';", b"default-src 'none'; connect-src 'self';"


def server(output: Path, host: str, port: int) -> "SiteServer":
    """A server of one finished site, already listening."""
    read_marker(output)  # says so if there is no site
    try:
        return SiteServer((host, port), partial(SiteHandler, directory=str(output)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ReportError(f"Port {port} is taken. Choose another with --port.") from None
        raise ReportError(f"Cannot listen on {host} port {port}: {error.strerror}.") from None


@contextmanager
def rendering_anew(paths: list[Path], render: Callable[[], None]):
    """Renders whenever a file at or under `paths` changes, until it is left."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(paths, render, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _watch(paths: list[Path], render: Callable[[], None], stop: threading.Event) -> None:
    paths = [path.absolute() for path in paths]

    def is_watched(_, path: str) -> bool:
        return any(watched in (Path(path), *Path(path).parents) for watched in paths)

    while not stop.is_set():
        folders = _folders(paths)
        for _ in watchfiles.watch(*folders, watch_filter=is_watched, recursive=False, stop_event=stop):
            try:
                render()
                print("Rendered anew.", flush=True)
            except (ExpectedError, OSError) as error:
                print(f"{message(error)} The last good site stays.", flush=True)
            if _folders(paths) != folders:
                break  # one was made, such as notes/


def _folders(paths: list[Path]) -> set[Path]:
    """The folders among the paths and in them, and those in which others of the paths may be made."""
    found = {folder for path in paths for folder in (path, *path.rglob("*/")) if folder.is_dir()}
    return found | {path.parent for path in paths if path.parent.is_dir()}


class SiteServer(ThreadingHTTPServer):
    """Tells the open pages when the site has changed."""

    def __init__(self, *arguments):
        self.condition, self.version = threading.Condition(), 0
        super().__init__(*arguments)

    def site_changed(self) -> None:
        with self.condition:
            self.version += 1
            self.condition.notify_all()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a browser that left in the middle
            super().handle_error(request, client_address)


class SiteHandler(SimpleHTTPRequestHandler):
    """Files of the site, its own 404 page, and no listings of folders."""

    def do_GET(self):
        if self.path == CHANGES:
            self._tell_changes()
        elif self.path == SCRIPT:
            self._send(200, "text/javascript", _RELOAD)
        elif self._page().is_file() and self._page().suffix == ".html":
            self._send(200, "text/html; charset=utf-8", _reloading(self._page().read_bytes()))
        else:
            super().do_GET()

    def _page(self) -> Path:
        path = Path(self.translate_path(self.path))
        return path / "index.html" if self.path.split("?")[0].endswith("/") else path

    def _tell_changes(self) -> None:
        """Server-sent events: one for each change, and now and then a sign of life."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        seen = self.server.version
        while True:  # until the page is closed, which is a ConnectionError
            with self.server.condition:
                self.server.condition.wait_for(lambda: self.server.version != seen,
                                               SECONDS_BETWEEN_SIGNS_OF_LIFE)
                changed, seen = self.server.version != seen, self.server.version
            self.wfile.write(b"data: changed\n\n" if changed else b": here\n\n")
            self.wfile.flush()

    def translate_path(self, path):
        inside, site = Path(super().translate_path(path)), Path(self.directory).resolve()
        # What no file can be called (a zero byte, 5,000 letters) is not there, and a link that
        # leads out of the site is treated as if it were not.
        if not os.path.exists(inside) or site not in (inside.resolve(), *inside.resolve().parents):
            return str(Path(self.directory, "not", "found"))
        return super().translate_path(path)

    def list_directory(self, path):
        self.send_error(404)

    def send_error(self, code, message=None, explain=None):
        page = Path(self.directory, "404.html")
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return None
        self._send(404, "text/html; charset=utf-8", _reloading(page.read_bytes()))

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")  # else a reload might show the old style
        super().end_headers()

    def _send(self, code: int, kind: str, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments):
        pass


def _reloading(page: bytes) -> bytes:
    return page.replace(b"</head>", _ELEMENT, 1).replace(*_POLICY, 1)

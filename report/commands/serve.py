"""`report serve`: the finished site on a local port, made anew when a text of it changes."""

import errno
import os
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable, Optional

from report import settings
from report.errors import ReportError, errors_for_people, one_line
from report.paths import ASSETS, TEMPLATES
from report.output.bundle import read_marker

SECONDS_BETWEEN_LOOKS, SECONDS_BETWEEN_SIGNS_OF_LIFE = 0.3, 15
CHANGES, SCRIPT = "/_changes", "/_reload.js"
# Only what is served carries these. The files themselves ask nobody for anything.
_RELOAD = f'new EventSource("{CHANGES}").onmessage = () => location.reload();\n'.encode()
_ELEMENT = f'<script src="{SCRIPT}" defer></script>\n</head>'.encode()
_POLICY = b"default-src 'none';", b"default-src 'none'; connect-src 'self';"


def run(options) -> None:
    with server(options.output, options.host, options.port) as listening:
        host, port = listening.server_address[:2]
        print(f"Serving {options.output} at http://{host}:{port}/ (Ctrl-C stops it)", flush=True)
        render = _renderer(options)
        if render:
            watched = [TEMPLATES, ASSETS, options.notes, options.config or settings.DEFAULT]
            threading.Thread(target=watch, args=(watched, render, listening.site_changed),
                             daemon=True).start()
        listening.serve_forever()


def server(output: Path, host: str, port: int) -> "SiteServer":
    """A server of one finished site, already listening."""
    read_marker(output)  # says so if there is no site
    try:
        return SiteServer((host, port), partial(SiteHandler, directory=str(output)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ReportError(f"Port {port} is taken. Choose another with --port.") from None
        raise ReportError(f"Cannot listen on {host} port {port}: {error.strerror}.") from None
    except OverflowError:
        raise ReportError(f"Port {port} is out of range; ports go from 0 to 65535.") from None


def watch(paths, render: Callable[[], None], changed: Callable[[], None]) -> None:
    """Render anew and tell the pages whenever a file under `paths` changes; never returns."""
    seen = _state(paths)
    while True:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        now = _state(paths)
        if now != seen:
            seen = now
            try:
                render()
                print("Rendered anew.", flush=True)
                changed()
            except (ReportError, *errors_for_people()) as error:
                print(f"error: {one_line(str(error))} The last good site stays.", flush=True)


def _state(paths) -> dict:
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return {file: file.stat().st_mtime_ns for file in files if file.is_file()}


def _renderer(options) -> Optional[Callable[[], None]]:
    """What makes this site anew, if the run that it shows is still there."""
    from digits.run import finished_runs
    from report.output.render import render

    shown = read_marker(options.output)["made_from"].get("run")
    runs = [run for run in finished_runs(options.runs) if run.record.fingerprint == shown]
    if not runs:
        print(f"The run of this site is not in {options.runs}/, so changes of its texts will not "
              "show. Say where it is with --runs.", flush=True)
        return None
    return lambda: render(runs[-1], options.output, options.notes,
                          settings.load(options.config).report)


class SiteServer(ThreadingHTTPServer):
    """Tells the open pages when the site has changed."""

    def __init__(self, *arguments):
        self.condition, self.version = threading.Condition(), 0
        super().__init__(*arguments)

    def site_changed(self) -> None:
        with self.condition:
            self.version += 1
            self.condition.notify_all()


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
        try:
            while True:
                with self.server.condition:
                    self.server.condition.wait_for(lambda: self.server.version != seen,
                                                   SECONDS_BETWEEN_SIGNS_OF_LIFE)
                    changed, seen = self.server.version != seen, self.server.version
                self.wfile.write(b"data: changed\n\n" if changed else b": here\n\n")
                self.wfile.flush()
        except OSError:
            pass  # the page was closed

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

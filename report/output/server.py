"""A local server of one finished site, whose open pages reload when the site changes."""

import gzip
import io
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

# Only what is served carries these. The files themselves make no requests.
SCRIPT = "/_reload.js"
_RELOAD = b"""let shown;
setInterval(async function look() {
  const answer = await fetch("/build.json").catch(() => ({ok: false}));
  if (!answer.ok) return;  // the server has ended, or a new site is just being put in place
  const made = await answer.text();
  if (shown && made !== shown) location.reload();
  shown = made;
}, 500);
"""
_ELEMENT = f'<script src="{SCRIPT}" defer></script>\n</head>'.encode()
_POLICY = b"default-src 'none';", b"default-src 'none'; connect-src 'self';"


def server(output: Path, host: str, port: int) -> ThreadingHTTPServer:
    """A server of one finished site, already listening. Raises ReportError."""
    read_marker(output)  # says so if there is no site
    try:
        return SiteServer((host, port), partial(SiteHandler, directory=str(output)))
    except OSError as error:
        raise ReportError(f"Cannot listen on {host} port {port}: {error.strerror}. Choose another with --port or "
                          "--host.") from None


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
    found = [folder for path in paths for folder in (path.parent, path, *path.rglob("*/"))]
    return {folder for folder in found if folder.is_dir()}


class SiteServer(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a browser that left in the middle
            super().handle_error(request, client_address)


class SiteHandler(SimpleHTTPRequestHandler):
    """Files of the site and its own 404 page; no listings of folders, and nothing outside of the site."""

    def send_head(self):
        if self.path == SCRIPT:
            return self._answer(200, "text/javascript", _RELOAD)
        for code, path in (200, self._file()), (404, Path(self.directory, "404.html")):
            if path and path.is_file():
                content, kind = path.read_bytes(), self.guess_type(path)
                if path.suffix == ".html":
                    content = content.replace(b"</head>", _ELEMENT, 1).replace(*_POLICY, 1)
                return self._answer(code, kind, content)
        return self.send_error(404)

    def _file(self) -> Path | None:
        """The file that is asked for, as long as no link in its path leads out of the site."""
        path = Path(self.translate_path(self.path))
        try:
            path = (path / "index.html" if self.path.split("?")[0].endswith("/") else path).resolve(strict=True)
        except (OSError, ValueError):  # it is not there, or no file can be called so: 5,000 letters, a zero byte
            return None
        return path if Path(self.directory).resolve() in path.parents else None

    def _answer(self, code: int, kind: str, content: bytes) -> io.BytesIO:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        is_text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
        if is_text and "gzip" in self.headers.get("Accept-Encoding", ""):  # as GitHub Pages sends it
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-cache")  # else a reload might show the old style
        self.end_headers()
        return io.BytesIO(content)

    def log_message(self, *arguments):
        pass

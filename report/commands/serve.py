"""`report serve`: the finished site on a local port."""

import errno
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from report.errors import ReportError
from report.writer import MARKER


def run(options) -> None:
    with server(options.output, options.host, options.port) as listening:
        host, port = listening.server_address[:2]
        print(f"Serving {options.output} at http://{host}:{port}/ (Ctrl-C stops it)", flush=True)
        listening.serve_forever()


def server(output: Path, host: str, port: int) -> ThreadingHTTPServer:
    """A server of one finished site, already listening."""
    if not (output / MARKER).is_file():
        raise ReportError(f"{output}: holds no site yet. Make one with: python -m report build")
    try:
        return ThreadingHTTPServer((host, port), partial(SiteHandler, directory=str(output)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ReportError(f"Port {port} is taken. Choose another with --port.") from None
        raise ReportError(f"Cannot listen on {host} port {port}: {error.strerror}.") from None
    except OverflowError:
        raise ReportError(f"Port {port} is out of range; ports go from 0 to 65535.") from None


class SiteHandler(SimpleHTTPRequestHandler):
    """Files of the site, its own 404 page, and no listings of folders."""

    def translate_path(self, path):
        inside = Path(super().translate_path(path))
        # A link that leads out of the site is treated as if it were not there.
        if Path(self.directory).resolve() not in (inside.resolve(), *inside.resolve().parents):
            return str(Path(self.directory, "not", "found"))
        return super().translate_path(path)

    def list_directory(self, path):
        self.send_error(404)

    def send_error(self, code, message=None, explain=None):
        page = Path(self.directory, "404.html")
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return None
        content = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments):
        pass
